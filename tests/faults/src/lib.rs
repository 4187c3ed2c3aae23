//! The fault run: processes are killed under load, every call is written down, and the log is held against what was answered.

mod calls;
mod doors;
pub mod history;
pub mod judge;
mod load;
mod nemesis;
mod processes;
mod report;
pub mod run;
pub mod serve;
mod settle;
mod write;
