//! Stories of the case.
