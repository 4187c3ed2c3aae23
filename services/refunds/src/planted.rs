//! Mistakes planted on purpose, for the fault run to find. Without the feature `planted` none is ever made.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("no mistake is ever planted in a release build");

/// A mistake; the variable SEVA_PLANTED names the one that is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bug {
    NewKeyOnRetry,
    UnknownTreatedAsFailed,
}

/// Whether a mistake is to be made.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_bug: Bug) -> bool {
    false
}

/// Whether a mistake is to be made.
#[cfg(feature = "planted")]
pub(crate) fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("SEVA_PLANTED").ok());
    CHOSEN.as_deref()
        == Some(match bug {
            Bug::NewKeyOnRetry => "new_key_on_retry",
            Bug::UnknownTreatedAsFailed => "unknown_treated_as_failed",
        })
}
