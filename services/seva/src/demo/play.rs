//! Plays the week through the services: the same request ids and the same bodies every time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, CaptureSuggestionRequest, DeclineSuggestionRequest,
    ReportOutcomeRequest, RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, ConfirmResolutionRequest, Direction, Identity, LogInteractionRequest,
    LogInteractionResponse, ReclassifyCaseRequest, RegisterCustomerRequest, RejectResolutionRequest,
    ReopenCaseRequest, ResolveCaseRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::finding;
use super::kept::Kept;
use super::scenario::{Moment, Saying, Step, Week, What};
use crate::connect::Home;
use crate::output;

/// How long a step is tried again while a service is not ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait between two tries, where the service does not say.
const PAUSE: Duration = Duration::from_millis(100);

/// What playing came to.
pub(crate) struct Played {
    /// Steps of the week.
    pub(crate) steps: usize,
    /// Those that an earlier run had recorded already.
    pub(crate) replayed: usize,
    /// Different texts said or written.
    pub(crate) texts: usize,
    /// The languages they are in.
    pub(crate) languages: Vec<String>,
    /// The customer whose story is told.
    pub(crate) story: String,
}

/// Plays every step, in order, with a progress line each.
pub(crate) async fn play(home: &Home, week: &Week, kept: &mut Kept) -> anyhow::Result<Played> {
    let mut player = Player {
        home,
        week,
        kept,
        intake: home.intake()?,
        feedback: home.feedback()?,
        said: HashMap::new(),
        captured: HashMap::new(),
        customers: HashMap::new(),
        added: HashMap::new(),
        replayed: 0,
    };
    for (number, step) in week.steps.iter().enumerate() {
        output::say(&progress(number + 1, week.steps.len(), step));
        player.act(step).await.with_context(|| format!("step `{}` of the week", step.id))?;
    }
    let story = player.customers.get(week.story.as_str()).cloned();
    let texts: BTreeSet<&str> =
        week.steps.iter().map(|step| step.what.text()).filter(|text| !text.is_empty()).collect();
    let languages = week.steps.iter().filter_map(|step| match &step.what {
        What::Say(saying) => Some(saying.lang.clone()),
        _ => None,
    });
    Ok(Played {
        steps: week.steps.len(),
        replayed: player.replayed,
        texts: texts.len(),
        languages: languages.collect::<BTreeSet<_>>().into_iter().collect(),
        story: story.context("the customer of the story never came")?,
    })
}

/// What a progress line says: how far, when in the week, what, and the beginning of the text.
fn progress(number: usize, of: usize, step: &Step) -> String {
    let when = step.what.at().map_or_else(String::new, |at| at.to_string());
    let text = if step.what.text().is_empty() { &step.id } else { step.what.text() };
    output::clip_end(&format!("  {number:>3}/{of}  {when:<11}  {:<11}  {text}", step.what.verb()))
}

/// What an earlier step answered, for those that refer to it.
struct Said {
    answer: LogInteractionResponse,
    kind: i32,
    lang: String,
}

struct Player<'a> {
    home: &'a Home,
    week: &'a Week,
    kept: &'a mut Kept,
    intake: IntakeServiceClient<Channel>,
    feedback: FeedbackServiceClient<Channel>,
    /// By step.
    said: HashMap<&'a str, Said>,
    /// By step.
    captured: HashMap<&'a str, String>,
    /// By the customer's key.
    customers: HashMap<&'a str, String>,
    /// By the customer's key.
    added: HashMap<&'a str, Vec<Identity>>,
    replayed: usize,
}

impl<'a> Player<'a> {
    async fn act(&mut self, step: &'a Step) -> anyhow::Result<()> {
        match &step.what {
            What::Register { who } => self.register(step, who).await,
            What::Identity { who, identity } => self.add_identity(step, who, identity).await,
            What::Say(saying) => self.say(step, saying).await,
            What::Reply { .. } => self.reply(step).await,
            What::Capture { .. } => self.capture(step).await,
            What::Resolve { case, .. }
            | What::Confirm { case }
            | What::Reject { case, .. }
            | What::Reopen { case, .. }
            | What::Reclassify { case, .. } => self.on_case(step, case).await,
            What::Acknowledge { suggestion }
            | What::Reroute { suggestion, .. }
            | What::Adopt { suggestion, .. }
            | What::Decline { suggestion, .. }
            | What::Outcome { suggestion, .. } => self.on_suggestion(step, suggestion).await,
        }
    }

    async fn register(&mut self, step: &'a Step, who: &'a str) -> anyhow::Result<()> {
        let person = self.week.person(who)?;
        let message = RegisterCustomerRequest {
            request_id: request_id(step),
            identities: person.identities.clone(),
            name: person.name.clone(),
        };
        let intake = self.intake.clone();
        let answer =
            self.send(step, message, async |request| intake.clone().register_customer(request).await).await?;
        self.customers.insert(who, answer.customer_id);
        Ok(())
    }

    async fn add_identity(
        &mut self,
        step: &'a Step,
        who: &'a str,
        identity: &Identity,
    ) -> anyhow::Result<()> {
        let customer_id =
            self.customers.get(who).cloned().with_context(|| format!("`{who}` has not come yet"))?;
        let message = AddIdentityRequest {
            request_id: request_id(step),
            customer_id,
            identity: Some(identity.clone()),
        };
        let intake = self.intake.clone();
        self.send(step, message, async |request| intake.clone().add_identity(request).await).await?;
        self.added.entry(who).or_default().push(identity.clone());
        Ok(())
    }

    async fn say(&mut self, step: &'a Step, saying: &'a Saying) -> anyhow::Result<()> {
        let person = saying.who.as_deref().map(|who| self.week.person(who)).transpose()?;
        let added =
            saying.who.as_deref().and_then(|who| self.added.get(who)).map(Vec::as_slice).unwrap_or_default();
        let case_id = match &saying.case {
            Some(case) => self.said(case)?.answer.case_id.clone(),
            None => String::new(),
        };
        let message = LogInteractionRequest {
            request_id: request_id(step),
            customer_id: String::new(),
            identities: person.map(|person| person.known_by(saying.via, added)).unwrap_or_default(),
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
            channel: saying.channel.into(),
            direction: Direction::Inbound.into(),
            language: if saying.blind { String::new() } else { saying.lang.clone() },
            text: saying.text.clone(),
            kind: saying.kind.into(),
            thread: saying.thread.clone(),
            case_id,
            occurred_at: Some(self.occurred(saying.at)?),
        };
        let kind = message.kind;
        let answer = self.log(step, message).await?;
        if let Some(who) = &saying.who {
            self.customers.insert(who, answer.customer_id.clone());
        }
        self.said.insert(&step.id, Said { answer, kind, lang: saying.lang.clone() });
        Ok(())
    }

    async fn reply(&mut self, step: &'a Step) -> anyhow::Result<()> {
        let What::Reply { at, to, channel, lang, text } = &step.what else { return Ok(()) };
        let to = self.said(to)?;
        let message = LogInteractionRequest {
            request_id: request_id(step),
            customer_id: to.answer.customer_id.clone(),
            identities: Vec::new(),
            name: String::new(),
            channel: (*channel).into(),
            direction: Direction::Outbound.into(),
            language: lang.clone().unwrap_or_else(|| to.lang.clone()),
            text: text.clone(),
            kind: to.kind,
            thread: String::new(),
            case_id: to.answer.case_id.clone(),
            occurred_at: Some(self.occurred(*at)?),
        };
        self.log(step, message).await.map(|_| ())
    }

    async fn log(
        &mut self,
        step: &Step,
        message: LogInteractionRequest,
    ) -> anyhow::Result<LogInteractionResponse> {
        let intake = self.intake.clone();
        self.send(step, message, async |request| intake.clone().log_interaction(request).await).await
    }

    async fn capture(&mut self, step: &'a Step) -> anyhow::Result<()> {
        let What::Capture { at, lang, text } = &step.what else { return Ok(()) };
        let message = CaptureSuggestionRequest {
            request_id: request_id(step),
            text: text.clone(),
            language: lang.clone(),
            customer_id: String::new(),
            case_id: String::new(),
            occurred_at: Some(self.occurred(*at)?),
        };
        let feedback = self.feedback.clone();
        let answer = self
            .send(step, message, async |request| feedback.clone().capture_suggestion(request).await)
            .await?;
        self.captured.insert(&step.id, answer.suggestion_id);
        Ok(())
    }

    async fn on_case(&mut self, step: &Step, case: &str) -> anyhow::Result<()> {
        let case_id = self.said(case)?.answer.case_id.clone();
        let (request_id, expected_rev, intake) = (request_id(step), None, self.intake.clone());
        match &step.what {
            What::Resolve { text, .. } => {
                let message =
                    ResolveCaseRequest { request_id, case_id, resolution: text.clone(), expected_rev };
                self.send(step, message, async |request| intake.clone().resolve_case(request).await).await?;
            }
            What::Confirm { .. } => {
                let message = ConfirmResolutionRequest { request_id, case_id, expected_rev };
                self.send(step, message, async |request| intake.clone().confirm_resolution(request).await)
                    .await?;
            }
            What::Reject { text, .. } => {
                let message =
                    RejectResolutionRequest { request_id, case_id, reason: text.clone(), expected_rev };
                self.send(step, message, async |request| intake.clone().reject_resolution(request).await)
                    .await?;
            }
            What::Reopen { text, .. } => {
                let message = ReopenCaseRequest { request_id, case_id, reason: text.clone(), expected_rev };
                self.send(step, message, async |request| intake.clone().reopen_case(request).await).await?;
            }
            What::Reclassify { kind, text, .. } => {
                let (kind, reason) = ((*kind).into(), text.clone());
                let message = ReclassifyCaseRequest { request_id, case_id, kind, reason, expected_rev };
                self.send(step, message, async |request| intake.clone().reclassify_case(request).await)
                    .await?;
            }
            other => anyhow::bail!("`{}` is nothing that happens to a case", other.verb()),
        }
        Ok(())
    }

    async fn on_suggestion(&mut self, step: &Step, suggestion: &str) -> anyhow::Result<()> {
        let suggestion_id = self.suggestion(suggestion).await?;
        let (request_id, expected_rev, feedback) = (request_id(step), None, self.feedback.clone());
        match &step.what {
            What::Acknowledge { .. } => {
                let message = AcknowledgeSuggestionRequest { request_id, suggestion_id, expected_rev };
                self.send(step, message, async |request| {
                    feedback.clone().acknowledge_suggestion(request).await
                })
                .await?;
            }
            What::Reroute { department, text, .. } => {
                let (department, reason) = (department.clone(), text.clone());
                let message =
                    RerouteSuggestionRequest { request_id, suggestion_id, department, reason, expected_rev };
                self.send(step, message, async |request| feedback.clone().reroute_suggestion(request).await)
                    .await?;
            }
            What::Adopt { text, .. } => {
                let message =
                    AdoptSuggestionRequest { request_id, suggestion_id, plan: text.clone(), expected_rev };
                self.send(step, message, async |request| feedback.clone().adopt_suggestion(request).await)
                    .await?;
            }
            What::Decline { text, .. } => {
                let message = DeclineSuggestionRequest {
                    request_id,
                    suggestion_id,
                    reason: text.clone(),
                    expected_rev,
                };
                self.send(step, message, async |request| feedback.clone().decline_suggestion(request).await)
                    .await?;
            }
            What::Outcome { audience, text, .. } => {
                let (audience, message) = ((*audience).into(), text.clone());
                let message =
                    ReportOutcomeRequest { request_id, suggestion_id, audience, message, expected_rev };
                self.send(step, message, async |request| feedback.clone().report_outcome(request).await)
                    .await?;
            }
            other => anyhow::bail!("`{}` is nothing that happens to a suggestion", other.verb()),
        }
        Ok(())
    }

    /// The suggestion that a step became: answered, kept from before, or found in an inbox and kept before it is used.
    async fn suggestion(&mut self, step: &str) -> anyhow::Result<String> {
        if let Some(known) =
            self.captured.get(step).map(String::as_str).or_else(|| self.kept.suggestion(step))
        {
            return Ok(known.to_owned());
        }
        let interaction_id = self.said(step)?.answer.interaction_id.clone();
        let found = finding::suggestion_of(self.home, &interaction_id, PATIENCE).await?;
        self.kept.keep_suggestion(step, &found)?;
        Ok(found)
    }

    fn said(&self, step: &str) -> anyhow::Result<&Said> {
        self.said.get(step).with_context(|| format!("step `{step}` has not been played yet"))
    }

    fn occurred(&self, at: Moment) -> anyhow::Result<prost_types::Timestamp> {
        let instant = at.before(self.kept.started_at())?;
        Ok(prost_types::Timestamp { seconds: instant.as_second(), nanos: instant.subsec_nanosecond() })
    }

    /// Sends a request until it is answered for good: the same one, so that nothing happens twice.
    async fn send<Q: Clone, A>(
        &mut self,
        step: &Step,
        message: Q,
        call: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
    ) -> anyhow::Result<A> {
        let answer = insist(|| self.home.request_by(&step.by, message.clone()), call).await?;
        self.replayed += usize::from(answer.metadata().contains_key("seva-replayed"));
        Ok(answer.into_inner())
    }
}

/// Sends a request until it is answered for good: the same one, so that nothing happens twice.
pub(super) async fn insist<Q, A>(
    request: impl Fn() -> anyhow::Result<Request<Q>>,
    call: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
) -> anyhow::Result<Response<A>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match call(request()?).await {
            Ok(answer) => return Ok(answer),
            Err(status) if passes(&status) && Instant::now() < until => {
                let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
                tokio::time::sleep(asked.unwrap_or(PAUSE).min(PATIENCE / 10)).await;
            }
            Err(status) => return Err(status.into()),
        }
    }
}

/// Whether trying again can help.
fn passes(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

/// The id of a step's request: the same on every run.
fn request_id(step: &Step) -> String {
    format!("week/{}", step.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_fit_and_request_ids_are_short_enough() {
        let week = Week::load().unwrap();
        for (number, step) in week.steps.iter().enumerate() {
            let line = progress(number + 1, week.steps.len(), step);
            assert!(output::width(&line) <= output::COLUMNS, "{line}");
            assert!(request_id(step).len() <= 128);
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(passes(&Status::unavailable("catching up")));
        assert!(!passes(&Status::failed_precondition("closed")));
        assert!(!passes(&Status::internal("bug")));
    }
}
