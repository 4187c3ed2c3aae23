//! The fault run: processes are killed under load, every call is written down, and the log is held against what was answered.

mod calls;
pub mod clock;
mod doors;
pub mod history;
mod house;
pub mod judge;
mod load;
mod nemesis;
mod policy;
mod processes;
mod provider;
mod report;
pub mod run;
pub mod serve;
mod settle;
mod states;
pub mod steps;
pub mod timers;
mod write;
