//! What nobody would send: messages of any type, made at random from what reflection tells of it.

mod known;
mod maker;
mod words;

pub use known::Known;
pub use maker::Maker;
