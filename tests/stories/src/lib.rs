//! What the stories share: a house of all services over a log of its own, clients for it, its log as a reader has it, and the program itself.

mod audit;
mod clock;
mod house;
mod log;
pub mod places;
mod program;
pub mod provider;
mod refusal;
pub mod say;
mod search;
mod served;
mod services;

pub use audit::{Audited, audited};
pub use clock::TestClock;
pub use house::{House, MASTER};
pub use log::Recorded;
pub use program::{command, program, seva};
pub use refusal::{Refusal, refused};
pub use search::{Found, Search};
pub use served::Served;
pub use services::Services;
pub use seva_tokens::{Client, SOMEBODY, as_actor, as_person};
