//! What services answered: counts, rejects, and the ids that later rows need.

use std::collections::HashMap;
use std::time::Duration;

use seva_api::pb::intake::v1::LogInteractionResponse;
use seva_api::pb::intake::v1::import_interactions_response::Result as Answer;

use super::call::{About, Call};
use super::reject::{Reason, Reject};
use super::row::Ready;

/// What the services answered so far.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many rows have an answer.
    pub(crate) answered: usize,
    pub(crate) recorded: u64,
    pub(crate) already_there: u64,
    /// Said what is so anyhow, and left no record.
    pub(crate) unchanged: u64,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) position: Option<String>,
    /// How long it took from the first connection on.
    pub(crate) took: Duration,
    ids: HashMap<About, String>,
}

/// What a request left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Left {
    Record,
    /// An earlier sending left it.
    RecordBefore,
    Nothing,
}

/// What a service answered to a request that it took.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) left: Left,
    pub(crate) position: String,
    /// What it is about, if its id is news.
    pub(crate) id: Option<(About, String)>,
}

impl Answers {
    /// The id that a request needs; empty if it needs none. Without it the row is rejected.
    pub(crate) fn id_for(&self, row: &Ready) -> Result<String, Reject> {
        let Some((about, field)) = needed(&row.call) else { return Ok(String::new()) };
        self.ids.get(&about).cloned().ok_or_else(|| {
            let message = "names something that the import has not brought, or not before this row";
            Reject::of_field(row.line, Reason::UnknownName, field, message)
        })
    }

    /// A row was taken.
    pub(crate) fn took(&mut self, taken: Taken) {
        self.answered += 1;
        match taken.left {
            Left::Record => self.recorded += 1,
            Left::RecordBefore => self.already_there += 1,
            Left::Nothing => self.unchanged += 1,
        }
        if !taken.position.is_empty() {
            self.position = Some(taken.position);
        }
        if let Some((about, id)) = taken.id {
            self.ids.insert(about, id);
        }
    }

    /// A row was refused.
    pub(crate) fn refused(&mut self, reject: Reject) {
        self.answered += 1;
        self.rejects.push(reject);
    }

    /// What the stream answered to an interaction.
    pub(crate) fn logged(&mut self, row: &Ready, answer: Answer) {
        let taken = |left, response: LogInteractionResponse| {
            let about = row.call.about();
            Taken { left, position: response.position, id: about.map(|about| (about, response.case_id)) }
        };
        match answer {
            Answer::Recorded(response) => self.took(taken(Left::Record, response)),
            Answer::AlreadyRecorded(response) => self.took(taken(Left::RecordBefore, response)),
            Answer::Refused(refusal) => {
                let field = (!refusal.field.is_empty()).then_some(refusal.field);
                let reason = Reason::Refused(refusal.reason);
                self.refused(Reject::new(row.line, reason, field, refusal.message));
            }
        }
    }
}

/// What a request names that a service has given an id, and in which field.
fn needed(call: &Call) -> Option<(About, &'static str)> {
    match call {
        Call::AcceptEscalation { thread, .. }
        | Call::ConfirmResolution { thread, .. }
        | Call::RaiseEscalation { thread, .. }
        | Call::ResolveCase { thread, .. }
        | Call::ResolveEscalation { thread, .. } => Some((About::Case(thread.clone()), "thread")),
        Call::RecordRefund { reference, .. } => Some((About::Charge(reference.clone()), "reference")),
        Call::RegisterCharge { customer, .. } if !customer.is_empty() => {
            Some((About::Customer(customer.clone()), "customer"))
        }
        Call::LogInteraction(_) | Call::RegisterCharge { .. } | Call::RegisterCustomer { .. } => None,
    }
}
