//! Interactions: what is logged, and what that is answered with.

use seva_domain::case;
use seva_domain::noun::{Event, Noun};
use seva_domain::plan::{Intent, Interaction};
use seva_domain::values::{At, CaseId, Channel, CustomerId, Direction, Kind, Language};

use super::customers::{Given, identities, sealed};
use super::{NAME_CHARS_MAX, TEXT_CHARS_MAX, words};
use crate::edge::{Draft, Pen, Whose, Written};
use crate::parse::Fields;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

const THREAD_CHARS_MAX: usize = 200;

/// An interaction to be logged.
pub struct Logging {
    customer: Option<CustomerId>,
    identities: Vec<Given>,
    name: String,
    channel: Channel,
    direction: Direction,
    kind: Kind,
    language: Option<Language>,
    text: String,
    thread: String,
    case: Option<CaseId>,
    occurred_at: Option<At>,
}

impl Logging {
    /// Checks a request.
    pub fn parse(request: &pb::LogInteractionRequest, now: At) -> Result<Logging, Error> {
        let pb::LogInteractionRequest {
            request_id,
            customer_id,
            identities: given,
            name,
            channel,
            direction,
            language,
            text,
            kind,
            thread,
            case_id,
            occurred_at,
        } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let customer = fields.id_if_given("customer_id", customer_id);
        let identities = identities(&mut fields, given);
        let name = fields.text("name", name, 0..=NAME_CHARS_MAX);
        let channel = fields.known("channel", *channel).and_then(words::channel);
        let direction = fields.known("direction", *direction).and_then(words::direction);
        let language = words::language(&mut fields, language);
        let text = fields.text("text", text, 1..=TEXT_CHARS_MAX);
        let kind = fields.known("kind", *kind).and_then(words::kind);
        let thread = fields.text("thread", thread, 0..=THREAD_CHARS_MAX);
        let case = fields.id_if_given("case_id", case_id);
        let occurred_at = match occurred_at {
            Some(at) => fields.at("occurred_at", at, now).map(Some),
            None => Some(None),
        };
        fields.finish(|| {
            Some(Logging {
                customer: customer?,
                identities: identities?,
                name: name?,
                channel: channel?,
                direction: direction?,
                kind: kind?,
                language: language?,
                text: text?,
                thread: thread?,
                case: case?,
                occurred_at: occurred_at?,
            })
        })
    }

    /// Checks a row of an import: it must say when it happened.
    pub fn parse_row(request: &pb::LogInteractionRequest, now: At) -> Result<Logging, Error> {
        match &request.occurred_at {
            Some(_) => Logging::parse(request, now),
            None => {
                Err(Error::malformed("occurred_at", "is missing: a row of the past says when it happened"))
            }
        }
    }
}

impl Draft for Logging {
    fn whose(&self) -> Whose {
        match (self.customer, self.case) {
            (Some(customer), _) => Whose::Customer(customer),
            (None, _) if !self.identities.is_empty() => Whose::Identities(self.identities.clone()),
            (None, Some(case)) => Whose::Case(case),
            (None, None) => Whose::Nobody,
        }
    }

    fn occurred_at(&self) -> Option<At> {
        self.occurred_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::LogInteraction(Box::new(Interaction {
            customer: self.customer,
            identities: sealed(&self.identities, pen).await?,
            name: pen.seal_if_given("name", &self.name).await?,
            channel: self.channel,
            direction: self.direction,
            kind: self.kind,
            thread: (!self.thread.is_empty()).then(|| pen.thread(&self.thread)),
            case: self.case,
            text: pen.seal("text", &self.text).await?,
            classification: pen.classify(&self.text, self.language.as_ref())?,
            sealing: pen.sealing(),
        })))
    }
}

/// What a logged interaction is answered with.
pub fn logged(written: &Written) -> Result<pb::LogInteractionResponse, Error> {
    for record in &written.records {
        let Noun::Case(case) = record.noun else { continue };
        let mut case_opened = false;
        for entry in &record.events {
            match &entry.event {
                Event::Case(case::Event::Opened(_)) => case_opened = true,
                Event::Case(case::Event::InteractionLogged(logged)) => {
                    return Ok(pb::LogInteractionResponse {
                        interaction_id: logged.interaction.to_string(),
                        case_id: case.to_string(),
                        customer_id: logged.customer.to_string(),
                        case_opened,
                        position: written.position.clone(),
                    });
                }
                _ => {}
            }
        }
    }
    Err(Error::Internal("an interaction was recorded without a case".into()))
}
