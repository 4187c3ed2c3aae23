//! Waiting for something to become true, without sleeping longer than needed and never for ever.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long lies between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until `look` returns a value, and returns it.
///
/// # Panics
///
/// When `within` has passed, naming `what` was waited for and the caller's line.
#[track_caller]
pub fn eventually<T, F, L>(what: &str, within: Duration, mut look: L) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
    L: FnMut() -> F,
{
    let caller = Location::caller();
    async move {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(INTERVAL).await;
            }
        };
        match timeout(within, looking).await {
            Ok(found) => found,
            Err(_elapsed) => panic!("not within {within:?}: {what} (waited for at {caller})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn the_first_value_is_returned() {
        let looks = Cell::new(0);
        let found = eventually("three looks", Duration::from_secs(5), || {
            looks.set(looks.get() + 1);
            let count = looks.get();
            async move { (count == 3).then_some(count) }
        });
        assert_eq!(found.await, 3);
    }

    #[tokio::test]
    async fn the_deadline_names_what_was_waited_for() {
        let endless = [None, Some(())].map(|first_look| async move {
            eventually("the moon", Duration::from_millis(30), || async {
                if first_look.is_some() {
                    // A look that never ends is bounded as well.
                    std::future::pending::<()>().await;
                }
                None::<()>
            })
            .await;
        });
        for waiting in endless {
            let panic = tokio::spawn(waiting).await.unwrap_err().into_panic();
            let text = panic.downcast_ref::<String>().unwrap();
            assert!(text.contains("the moon") && text.contains("eventually.rs"), "{text}");
        }
    }
}
