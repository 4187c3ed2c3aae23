//! One unpredictable number, for picking ports and naming log references; never for secrets.

use std::hash::{BuildHasher, RandomState};

/// Returns a number that differs between calls and between processes.
///
/// The standard library's hash keys are seeded by the operating system, so no generator is needed.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_numbers_differ() {
        assert_ne!(super::number(), super::number());
    }
}
