//! The sandbox provider as a process, and the real client before it: every way in which paying goes wrong, and what is made of it.

mod answers;
mod hooks;
mod kills;
