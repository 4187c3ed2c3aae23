//! What customers say: interactions that make records of about 1 KB.

use seva_api::parse::timestamp;
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::intake::v1::{Direction, Identity, IdentityKind, LogInteractionRequest};
use seva_domain::values::At;

/// What the bench calls itself.
pub(crate) const ACTOR: &str = "bench";

const SENTENCES: [&str; 8] = [
    "The parcel was promised for Tuesday and the driver left it with a neighbour I do not know.",
    "Your page says that it is in stock, but the shop told me that nothing will come before autumn.",
    "I was charged twice for the same order and the second amount has still not come back.",
    "It would help if the box could be closed again after opening, mine fell apart at once.",
    "Please tell me how I can move my subscription to another address without losing the discount.",
    "The lamp flickers whenever the kettle is on, and the manual does not say a word about that.",
    "Two people on the phone told me two different things, so now I am writing to have it in black and white.",
    "Everything else was as described, and the colour is even nicer than in the picture.",
];

/// What the n-th customer says, known by an account of this name.
pub(crate) fn interaction(request_id: String, account: String, n: u64) -> LogInteractionRequest {
    LogInteractionRequest {
        request_id,
        identities: vec![Identity { kind: IdentityKind::Account.into(), value: account }],
        channel: [Channel::Email, Channel::Chat, Channel::Phone, Channel::Web][pick(n, 4)].into(),
        direction: Direction::Inbound.into(),
        text: text(n),
        kind: kind(n).into(),
        ..LogInteractionRequest::default()
    }
}

/// The same, of the past: the n-th a millisecond after the one before.
pub(crate) fn past(request_id: String, account: String, n: u64, since: At) -> LogInteractionRequest {
    let occurred_at = Some(timestamp(At(since.0 + i64::try_from(n * 1_000).unwrap_or(i64::MAX))));
    LogInteractionRequest { occurred_at, ..interaction(request_id, account, n) }
}

fn kind(n: u64) -> CaseKind {
    match n % 10 {
        0 => CaseKind::Suggestion,
        1..=4 => CaseKind::Complaint,
        _ => CaseKind::Enquiry,
    }
}

fn text(n: u64) -> String {
    let [first, second, third] = [0, 3, 5].map(|offset| SENTENCES[pick(n + offset, SENTENCES.len())]);
    format!("Order {n:08}. {first} {second} {third}")
}

fn pick(n: u64, of: usize) -> usize {
    usize::try_from(n % of as u64).unwrap_or(0)
}
