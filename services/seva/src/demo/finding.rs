//! Finds the suggestion that an interaction became: feedback captures it by itself, a moment later.

use std::time::{Duration, Instant};

use seva_api::pb::feedback::v1::GetSuggestionCountsRequest;

use crate::connect::Home;
use crate::{failure, inbox};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks through all inboxes until the suggestion is there, for at most so long.
pub(crate) async fn suggestion_of(
    home: &Home,
    interaction_id: &str,
    patience: Duration,
) -> anyhow::Result<String> {
    let until = Instant::now() + patience;
    loop {
        if let Some(found) = look(home, interaction_id).await? {
            return Ok(found);
        }
        if Instant::now() >= until {
            return Err(failure::unavailable(format!(
                "no inbox shows a suggestion from {interaction_id} yet"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look(home: &Home, interaction_id: &str) -> anyhow::Result<Option<String>> {
    let request = home.request(GetSuggestionCountsRequest { read: None });
    let counts = home.feedback()?.get_suggestion_counts(request).await?.into_inner();
    for department in counts.departments {
        let (suggestions, _) = inbox::read(home, &department.department).await?;
        if let Some(found) = suggestions.into_iter().find(|one| one.interaction_id == interaction_id) {
            return Ok(Some(found.suggestion_id));
        }
    }
    Ok(None)
}
