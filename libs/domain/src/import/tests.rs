//! Stories of the import.
