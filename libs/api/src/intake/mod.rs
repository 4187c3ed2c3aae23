//! Intake over gRPC: requests to drafts, records to answers.

mod cases;
mod customers;
mod imports;
mod interactions;
mod words;

pub use cases::{CaseChange, promised};
pub use customers::{Addition, Given, IDENTITIES_MAX, Registration, customer, identities};
pub use imports::{Bracket, import_key};
pub use interactions::{Logging, logged};
pub use words::{channel_of, direction_of, id, identity_kind_of, kind, kind_of, language};

/// The longest text of an interaction, in characters.
pub const TEXT_CHARS_MAX: usize = 20_000;

/// The longest note of staff, in characters.
pub const NOTE_CHARS_MAX: usize = 2_000;

/// The longest name of a person, in characters.
const NAME_CHARS_MAX: usize = 200;
