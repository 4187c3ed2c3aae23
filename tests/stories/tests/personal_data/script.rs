//! Every command of every service, once in each script, with something personal in every field that takes a text.

use anyhow::{Context as _, Result, ensure};
use futures::stream;
use seva_api::pb::common::v1::{CaseKind, Channel, PageRequest, ReadOptions};
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, Audience, CaptureSuggestionRequest,
    DeclineSuggestionRequest, GetSuggestionRequest, ListInboxRequest, ReportOutcomeRequest,
    RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, ConfirmResolutionRequest, Direction, GetCallerBriefRequest, GetCaseRequest,
    GetTimelineRequest, IdentifyCustomerRequest, Identity, IdentityKind, ImportInteractionsRequest,
    ImportStart, ListOpenCasesRequest, LogInteractionRequest, ReclassifyCaseRequest, RegisterCustomerRequest,
    RejectResolutionRequest, ReopenCaseRequest, ResolveCaseRequest,
};
use seva_stories::{Client as Connection, as_actor, say};
use tonic::{Response, Status};

/// Who calls: an opaque id, as staff have.
const ACTOR: &str = "agent-12";

/// A way of writing: makes personal things that differ in a number only.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    /// The word that every personal thing of this script holds.
    pub(crate) word: &'static str,
    /// What the script's requests are told apart by.
    pub(crate) name: &'static str,
}

/// What every telephone number begins with.
pub(crate) const PHONE: &str = "917777123460";

impl Script {
    /// A personal word of its own for each thing.
    fn word(self, thing: &str) -> String {
        format!("{}{thing}", self.word)
    }

    fn text(self, thing: &str) -> String {
        format!("{} said so, \"{}\"\nand \\ more", self.word(thing), self.word("again"))
    }

    fn identity(self, kind: IdentityKind, thing: &str) -> Identity {
        let value = match kind {
            IdentityKind::Email => format!("{}@{}.example", self.word(thing), self.word("domain")),
            IdentityKind::Handle => format!("network/@{}", self.word(thing)),
            IdentityKind::Phone => format!("+{PHONE}{}{:02}", self.name.len(), thing.len()),
            IdentityKind::Account | IdentityKind::Unspecified => self.word(thing),
        };
        Identity { kind: kind.into(), value }
    }

    fn identities(self, thing: &str) -> Vec<Identity> {
        let kinds = [IdentityKind::Account, IdentityKind::Handle, IdentityKind::Email, IdentityKind::Phone];
        kinds.map(|kind| self.identity(kind, thing)).into()
    }

    fn interaction(self, thing: &str) -> LogInteractionRequest {
        LogInteractionRequest {
            request_id: self.word(&format!("request {thing}")),
            identities: self.identities(thing),
            name: self.word("name"),
            channel: Channel::Email.into(),
            direction: Direction::Inbound.into(),
            kind: CaseKind::Complaint.into(),
            text: self.text("text"),
            thread: self.word("thread"),
            ..LogInteractionRequest::default()
        }
    }
}

/// The services as clients have them, and every refusal's text.
pub(crate) struct Caller {
    pub(crate) intake: IntakeServiceClient<Connection>,
    pub(crate) feedback: FeedbackServiceClient<Connection>,
    pub(crate) refusals: Vec<String>,
}

impl Caller {
    /// Plays every command that is carried out.
    pub(crate) async fn play(&mut self, script: Script) -> Result<()> {
        self.play_customers(script).await?;
        self.play_cases(script).await?;
        self.play_import(script).await?;
        self.play_suggestions(script).await
    }

    async fn play_customers(&mut self, script: Script) -> Result<()> {
        let request = RegisterCustomerRequest {
            request_id: script.word("request register"),
            identities: script.identities("registered"),
            name: script.word("registered name"),
        };
        let registered = self.intake.register_customer(as_actor(ACTOR, request)).await?.into_inner();
        let (customer_id, mut position) = (registered.customer_id, registered.position);
        for kind in [IdentityKind::Account, IdentityKind::Handle, IdentityKind::Email, IdentityKind::Phone] {
            let request = AddIdentityRequest {
                request_id: script.word(&format!("request add {kind:?}")),
                customer_id: customer_id.clone(),
                identity: Some(script.identity(kind, &format!("added {kind:?}").replace(' ', "-"))),
            };
            position = self.intake.add_identity(as_actor(ACTOR, request)).await?.into_inner().position;
        }
        let request = IdentifyCustomerRequest {
            identities: script.identities("registered"),
            read: say::at_least(&position),
        };
        let found = self.intake.identify_customer(as_actor(ACTOR, request)).await?.into_inner();
        ensure!(found.customer_id == customer_id, "somebody else was found");
        Ok(())
    }

    async fn play_cases(&mut self, script: Script) -> Result<()> {
        let request = script.interaction("logged");
        let logged = self.intake.log_interaction(as_actor(ACTOR, request)).await?.into_inner();
        let case_id = || logged.case_id.clone();
        let id = |thing: &str| script.word(&format!("request {thing}"));
        let intake = &mut self.intake;
        let request = ReclassifyCaseRequest {
            request_id: id("reclassify"),
            case_id: case_id(),
            kind: CaseKind::Refund.into(),
            reason: script.text("reclassified"),
            expected_rev: None,
        };
        intake.reclassify_case(as_actor(ACTOR, request)).await?;
        let resolve = |n: &str| ResolveCaseRequest {
            request_id: id(n),
            case_id: case_id(),
            resolution: script.text("resolution"),
            expected_rev: None,
        };
        intake.resolve_case(as_actor(ACTOR, resolve("resolve"))).await?;
        let request = RejectResolutionRequest {
            request_id: id("reject"),
            case_id: case_id(),
            reason: script.text("rejected"),
            expected_rev: None,
        };
        intake.reject_resolution(as_actor(ACTOR, request)).await?;
        intake.resolve_case(as_actor(ACTOR, resolve("resolve again"))).await?;
        let request =
            ConfirmResolutionRequest { request_id: id("confirm"), case_id: case_id(), expected_rev: None };
        intake.confirm_resolution(as_actor(ACTOR, request)).await?;
        let request = ReopenCaseRequest {
            request_id: id("reopen"),
            case_id: case_id(),
            reason: script.text("reopened"),
            expected_rev: None,
        };
        let reopened = intake.reopen_case(as_actor(ACTOR, request)).await?.into_inner();

        let read = Some(ReadOptions { at_least_position: reopened.position });
        let customer_id = logged.customer_id;
        let request = GetTimelineRequest { customer_id: customer_id.clone(), page: None, read: read.clone() };
        let timeline = intake.get_timeline(as_actor(ACTOR, request)).await?.into_inner();
        let is_told = |word: &str| format!("{timeline:?}").contains(&script.word(word));
        ensure!(
            is_told("text") && is_told("reopened"),
            "the timeline does not tell what was said: {timeline:?}"
        );
        let request = GetCallerBriefRequest { customer_id, read: read.clone() };
        intake.get_caller_brief(as_actor(ACTOR, request)).await?;
        let request = GetCaseRequest { case_id: case_id(), as_of: None, read };
        intake.get_case(as_actor(ACTOR, request)).await?;
        Ok(())
    }

    async fn play_import(&mut self, script: Script) -> Result<()> {
        // An import's key is limited to plain letters; its rows' keys are anybody's words.
        let import_key = format!("zquillonbrae-{}", script.name);
        let start = Part::Start(ImportStart { import_key });
        let row = |thing: &str| {
            let occurred_at = Some(prost_types::Timestamp { seconds: 1_500_000_000, nanos: 0 });
            Part::Row(LogInteractionRequest { occurred_at, ..script.interaction(thing) })
        };
        let bad = LogInteractionRequest {
            case_id: script.word("case"),
            language: script.word("language"),
            ..script.interaction("bad row")
        };
        let parts = [start, row("imported"), row("imported too"), Part::Row(bad)];
        let requests = parts.map(|part| ImportInteractionsRequest { part: Some(part) });
        let mut answers =
            self.intake.import_interactions(as_actor(ACTOR, stream::iter(requests))).await?.into_inner();
        let mut count = 0;
        while let Some(answer) = answers.message().await? {
            self.refusals.push(format!("{answer:?}"));
            count += 1;
        }
        ensure!(count == 3, "{count} answers for 3 rows");
        Ok(())
    }

    async fn play_suggestions(&mut self, script: Script) -> Result<()> {
        let id = |thing: &str| script.word(&format!("request suggestion {thing}"));
        for (n, is_adopted) in [(1, true), (2, false)] {
            let request = CaptureSuggestionRequest {
                request_id: id(&format!("capture {n}")),
                text: script.text(&format!("idea {n}")),
                ..CaptureSuggestionRequest::default()
            };
            let captured = self.feedback.capture_suggestion(as_actor(ACTOR, request)).await?.into_inner();
            let suggestion_id = || captured.suggestion_id.clone();
            let request = AcknowledgeSuggestionRequest {
                request_id: id(&format!("acknowledge {n}")),
                suggestion_id: suggestion_id(),
                expected_rev: None,
            };
            self.feedback.acknowledge_suggestion(as_actor(ACTOR, request)).await?;
            let request = RerouteSuggestionRequest {
                request_id: id(&format!("reroute {n}")),
                suggestion_id: suggestion_id(),
                department: "marketing".to_owned(),
                reason: script.text("rerouted"),
                expected_rev: None,
            };
            self.feedback.reroute_suggestion(as_actor(ACTOR, request)).await?;
            let (request_id, note) = (id(&format!("decide {n}")), script.text("decided"));
            if is_adopted {
                let (suggestion_id, plan) = (suggestion_id(), note);
                let request = AdoptSuggestionRequest { request_id, suggestion_id, plan, expected_rev: None };
                self.feedback.adopt_suggestion(as_actor(ACTOR, request)).await?;
            } else {
                let (suggestion_id, reason) = (suggestion_id(), note);
                let request =
                    DeclineSuggestionRequest { request_id, suggestion_id, reason, expected_rev: None };
                self.feedback.decline_suggestion(as_actor(ACTOR, request)).await?;
            }
            let request = ReportOutcomeRequest {
                request_id: id(&format!("report {n}")),
                suggestion_id: suggestion_id(),
                audience: Audience::Customer.into(),
                message: script.text("reported"),
                expected_rev: None,
            };
            let reported = self.feedback.report_outcome(as_actor(ACTOR, request)).await?.into_inner();
            let read = Some(ReadOptions { at_least_position: reported.position });
            let request = GetSuggestionRequest { suggestion_id: suggestion_id(), read };
            let told = self.feedback.get_suggestion(as_actor(ACTOR, request)).await?.into_inner();
            ensure!(format!("{told:?}").contains(&script.word("reported")), "not told: {told:?}");
        }
        // A suggestion in an interaction, which feedback captures by itself.
        let suggestion = LogInteractionRequest {
            kind: CaseKind::Suggestion.into(),
            thread: String::new(),
            ..script.interaction("suggested")
        };
        self.intake.log_interaction(as_actor(ACTOR, suggestion)).await?;
        Ok(())
    }

    /// Makes calls that are refused, and keeps what was said.
    pub(crate) async fn be_refused(&mut self, script: Script) -> Result<()> {
        let word = |thing: &str| script.word(thing);
        let fresh = || script.interaction("refused");
        let bad = [
            LogInteractionRequest { customer_id: word("id"), ..fresh() },
            LogInteractionRequest { case_id: word("id"), ..fresh() },
            LogInteractionRequest { language: word("id"), ..fresh() },
            LogInteractionRequest { channel: 99, ..fresh() },
            LogInteractionRequest { request_id: word("long").repeat(40), ..fresh() },
            LogInteractionRequest { name: word("long").repeat(40), ..fresh() },
            LogInteractionRequest { text: word("long").repeat(4_000), ..fresh() },
            LogInteractionRequest { thread: word("long").repeat(40), ..fresh() },
            LogInteractionRequest { text: word("other"), ..script.interaction("logged") },
        ];
        for request in bad {
            let answer = self.intake.log_interaction(as_actor(ACTOR, request)).await;
            self.refused(answer)?;
        }
        for (kind, value) in [
            (IdentityKind::Email, word("no-address")),
            (IdentityKind::Handle, word("no-network")),
            (IdentityKind::Phone, word("no-digits")),
            (IdentityKind::Unspecified, word("no-kind")),
        ] {
            let identities = vec![Identity { kind: kind.into(), value }];
            let request = IdentifyCustomerRequest { identities: identities.clone(), read: None };
            let answer = self.intake.identify_customer(as_actor(ACTOR, request)).await;
            self.refused(answer)?;
            let (request_id, name) = (word("request refused"), word("name"));
            let request = RegisterCustomerRequest { request_id, identities, name };
            let answer = self.intake.register_customer(as_actor(ACTOR, request)).await;
            self.refused(answer)?;
        }
        let request = RegisterCustomerRequest {
            request_id: word("request taken"),
            identities: script.identities("registered"),
            name: word("taken"),
        };
        let answer = self.intake.register_customer(as_actor(ACTOR, request)).await;
        self.refused(answer)?;
        self.be_refused_reading(script).await
    }

    async fn be_refused_reading(&mut self, script: Script) -> Result<()> {
        let word = || script.word("asked");
        let request = GetCaseRequest { case_id: word(), ..GetCaseRequest::default() };
        let answer = self.intake.get_case(as_actor(ACTOR, request)).await;
        self.refused(answer)?;
        let page = Some(PageRequest { page_size: 1, page_token: word() });
        let request = ListOpenCasesRequest { page, ..ListOpenCasesRequest::default() };
        let answer = self.intake.list_open_cases(as_actor(ACTOR, request)).await;
        self.refused(answer)?;
        let read = Some(ReadOptions { at_least_position: word() });
        let request = ListOpenCasesRequest { read, ..ListOpenCasesRequest::default() };
        let answer = self.intake.list_open_cases(as_actor(ACTOR, request)).await;
        self.refused(answer)?;
        let request = ListInboxRequest { department: word(), ..ListInboxRequest::default() };
        // Whether a department is one is not asked where an inbox is read: an empty answer is one as well.
        if let Err(status) = self.feedback.list_inbox(as_actor(ACTOR, request)).await {
            self.refusals.push(said(&status));
        }
        let request = RerouteSuggestionRequest {
            request_id: word(),
            suggestion_id: word(),
            department: word(),
            reason: word(),
            expected_rev: None,
        };
        let answer = self.feedback.reroute_suggestion(as_actor(ACTOR, request)).await;
        self.refused(answer)?;
        let mut request = tonic::Request::new(GetCaseRequest::default());
        request.metadata_mut().insert("seva-purpose", "Zquillonbrae".parse().context("plain text")?);
        let answer = self.intake.get_case(request).await;
        self.refused(answer)?;
        let mut request = tonic::Request::new(GetCaseRequest::default());
        request.metadata_mut().insert("authorization", "Bearer Zquillonbrae".parse().context("plain text")?);
        let answer = self.intake.get_case(request).await;
        self.refused(answer)
    }

    fn refused<T>(&mut self, answer: Result<Response<T>, Status>) -> Result<()> {
        let status = answer.err().context("a call that should have been refused was not")?;
        ensure!(status.code() != tonic::Code::Internal, "{status:?}");
        self.refusals.push(said(&status));
        Ok(())
    }
}

/// Everything that a refusal says.
fn said(status: &Status) -> String {
    format!("{status:?} {} {}", status.message(), String::from_utf8_lossy(status.details()))
}
