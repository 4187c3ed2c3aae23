//! What callers submit, made by hand: short, and different only in what a case is about.

use seva_domain::case;
use seva_domain::customer::{Identity, IdentityKind};
use seva_domain::desk::Submission;
use seva_domain::import;
use seva_domain::plan::{Intent, Interaction, Sealing};
use seva_domain::record::Request;
use seva_domain::values::{
    Actor, At, CaseId, Channel, Classification, CustomerId, Direction, ImportId, InteractionId, KeyId, Kind,
    Language, RequestId, Sealed, SuggestionId, Token,
};

/// The id of the request of this name.
pub(crate) fn request(name: &str) -> RequestId {
    RequestId::derive(&[name.as_bytes()])
}

/// The customer that a registration of this name makes.
pub(crate) fn customer(name: &str) -> CustomerId {
    CustomerId::derive(&[request(name).bytes()])
}

/// The case that a contact of this name opens.
pub(crate) fn case(name: &str) -> CaseId {
    CaseId::derive(&[request(name).bytes()])
}

/// The suggestion that follows from a contact of this name.
pub(crate) fn suggestion_of(name: &str) -> SuggestionId {
    let interaction = InteractionId::derive(&[request(name).bytes()]);
    SuggestionId::derive(&[interaction.bytes()])
}

/// A request of this name.
pub(crate) fn submission(name: &str, intent: Intent) -> Submission {
    let key = KeyId::derive(&[b"requests"]);
    let digest = Token::derive(&[format!("{intent:?}").as_bytes()]);
    Submission {
        request: Request { id: request(name), key, digest },
        actor: Actor::anonymous(),
        occurred_at: None,
        import: None,
        within: None,
        intent,
    }
}

/// Registers a customer known by an account of the same name.
pub(crate) fn register(name: &str) -> Submission {
    register_as(name, &[name])
}

/// Registers a customer known by these accounts.
pub(crate) fn register_as(name: &str, accounts: &[&str]) -> Submission {
    let identity = |account: &&str| Identity {
        kind: IdentityKind::Account,
        token: Token::derive(&[account.as_bytes()]),
        value: sealed("somebody"),
    };
    let identities = accounts.iter().map(identity).collect();
    submission(name, Intent::RegisterCustomer { identities, name: None, sealing: sealing(None) })
}

/// A contact with the customer whom a registration of this name made; it opens a case, or joins the one named.
pub(crate) fn contact(name: &str, of: &str, kind: Kind, joins: Option<CaseId>) -> Submission {
    contact_saying(name, of, kind, joins, "a few words")
}

/// The same, with its text.
pub(crate) fn contact_saying(
    name: &str,
    of: &str,
    kind: Kind,
    joins: Option<CaseId>,
    text: &str,
) -> Submission {
    let interaction = Interaction {
        customer: Some(customer(of)),
        identities: Vec::new(),
        name: None,
        channel: Channel::Chat,
        direction: Direction::Inbound,
        kind,
        thread: None,
        case: joins,
        text: sealed(text),
        classification: Classification { language: Language::undetermined(), policy: 1, hit: None },
        sealing: sealing(Some(customer(of))),
    };
    submission(name, Intent::LogInteraction(Box::new(interaction)))
}

/// Staff say that a case is solved.
pub(crate) fn resolve(name: &str, case: CaseId) -> Submission {
    on_case(name, case, case::Command::Resolve { resolution: sealed("it works again") })
}

/// A case is opened again; an open one stays as it is.
pub(crate) fn reopen(name: &str, case: CaseId) -> Submission {
    on_case(name, case, case::Command::Reopen { reason: sealed("it does not") })
}

/// An import of this name begins.
pub(crate) fn starts(import: &str) -> Submission {
    let command = import::Command::Start;
    submission(&format!("{import} starts"), Intent::Import { import: import_of(import), command })
}

/// All that an import of this name brings has come in.
pub(crate) fn closes(import: &str) -> Submission {
    let command = import::Command::Close { recorded: 1, already_recorded: 0, refused: 0 };
    submission(&format!("{import} closes"), Intent::Import { import: import_of(import), command })
}

/// What an import of this name brings, and when it happened.
pub(crate) fn brought(import: &str, at: At, submission: Submission) -> Submission {
    Submission { occurred_at: Some(at), import: Some(import_of(import)), ..submission }
}

fn import_of(name: &str) -> ImportId {
    ImportId::derive(&[name.as_bytes()])
}

fn on_case(name: &str, case: CaseId, command: case::Command) -> Submission {
    submission(name, Intent::Case { case, command, expected_rev: None, sealing: None })
}

fn sealing(owner: Option<CustomerId>) -> Sealing {
    Sealing { key: KeyId::derive(&[b"texts"]), owner }
}

/// A text as if it were sealed.
pub(crate) fn sealed(data: &str) -> Sealed {
    Sealed { key: KeyId::derive(&[b"texts"]), context: "a test/text".to_owned(), data: data.to_owned() }
}
