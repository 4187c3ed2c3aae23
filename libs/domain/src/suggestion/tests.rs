//! Stories of the suggestion.
