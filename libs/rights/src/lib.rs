//! Who may do what on NATS: the identities, the one table of their rights, the server's configuration made from it, and the seeds that they
//! connect with.
//!
//! Nothing here speaks with a server. A server that runs with what [`accounts`] writes lets in nobody without a seed, and everybody with
//! one does what [`Identity::rights`] says and nothing else.

mod accounts;
mod identity;
mod seeds;
mod table;

pub use accounts::accounts;
pub use identity::Identity;
pub use seeds::{SeedError, Seeds};
pub use table::Rights;
