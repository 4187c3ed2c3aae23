//! Waits until every service has read, reacted to and folded all there is.

use std::time::{Duration, Instant};

use seva_api::pb::operations::v1::{GetStatusRequest, GetStatusResponse};

use crate::connect::Home;
use crate::failure;

/// How long to wait between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

/// What every service last answered, and where they all stand.
pub(crate) struct Settled {
    /// The log's last sequence, as all of them know it.
    pub(crate) sequence: u64,
    /// By the service's name.
    pub(crate) services: Vec<(String, GetStatusResponse)>,
}

/// Asks all services, round after round, until two rounds alike show them at the same end of the log.
pub(crate) async fn settled(home: &Home, patience: Duration) -> anyhow::Result<Settled> {
    let until = Instant::now() + patience;
    let mut clients = home.operations()?;
    let mut before = None;
    loop {
        let mut services = Vec::new();
        let mut silent = None;
        for (name, client) in &mut clients {
            match client.get_status(home.request(GetStatusRequest {})).await {
                Ok(answer) => services.push((name.clone(), answer.into_inner())),
                Err(status) => {
                    silent = Some(format!("{name} does not answer: {}", failure::explain_status(&status)))
                }
            }
        }
        let judged = match silent {
            Some(reason) => Err(reason),
            None => judge(&services),
        };
        if let (Ok(sequence), Some(last)) = (&judged, before)
            && *sequence == last
        {
            return Ok(Settled { sequence: last, services });
        }
        if Instant::now() >= until {
            let reason = judged.err().unwrap_or_else(|| "the log goes on growing".to_owned());
            return Err(failure::unavailable(format!(
                "not settled after {} s: {reason}",
                patience.as_secs()
            )));
        }
        before = judged.ok();
        tokio::time::sleep(PAUSE).await;
    }
}

/// The end of the log, if all services stand there with all they do; else who does not.
fn judge(services: &[(String, GetStatusResponse)]) -> Result<u64, String> {
    let known = services.iter().map(|(_, status)| status.followed_sequence.max(status.shard_sequence));
    let end = known.max().ok_or("there are no services")?;
    for (name, status) in services {
        if status.followed_sequence < end {
            return Err(format!("{name} has read up to {} of {end}", status.followed_sequence));
        }
        if status.reacted_sequence < end {
            return Err(format!("{name} has reacted up to {} of {end}", status.reacted_sequence));
        }
        for model in &status.read_models {
            if !model.stopped.is_empty() {
                return Err(format!("{name}'s read model {} has stopped: {}", model.name, model.stopped));
            }
            if model.sequence < end {
                return Err(format!("{name}'s read model {} is at {} of {end}", model.name, model.sequence));
            }
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use seva_api::pb::operations::v1::ReadModelStatus;

    use super::*;

    fn at(followed: u64, reacted: u64, folded: u64) -> GetStatusResponse {
        let model =
            ReadModelStatus { name: "cases.v1".to_owned(), sequence: folded, ..ReadModelStatus::default() };
        GetStatusResponse {
            followed_sequence: followed,
            reacted_sequence: reacted,
            shard_sequence: followed.min(7),
            read_models: vec![model],
            ..GetStatusResponse::default()
        }
    }

    fn judged(statuses: [GetStatusResponse; 2]) -> Result<u64, String> {
        let [intake, feedback] = statuses;
        judge(&[("intake".to_owned(), intake), ("feedback".to_owned(), feedback)])
    }

    #[test]
    fn all_at_the_same_end_is_settled() {
        assert_eq!(judged([at(9, 9, 9), at(9, 9, 9)]), Ok(9));
    }

    #[test]
    fn whoever_is_behind_is_named() {
        assert!(judged([at(9, 9, 9), at(8, 8, 8)]).unwrap_err().contains("feedback has read up to 8"));
        assert!(judged([at(9, 8, 9), at(9, 9, 9)]).unwrap_err().contains("intake has reacted up to 8"));
        assert!(judged([at(9, 9, 9), at(9, 9, 3)]).unwrap_err().contains("cases.v1 is at 3"));
    }

    #[test]
    fn a_commit_that_its_own_writer_has_not_read_yet_counts() {
        let ahead = GetStatusResponse { shard_sequence: 10, ..at(9, 9, 9) };
        assert!(judged([ahead, at(9, 9, 9)]).is_err());
    }

    #[test]
    fn a_stopped_read_model_is_told() {
        let mut stopped = at(9, 9, 9);
        stopped.read_models[0].stopped = "cannot read".to_owned();
        assert!(judged([stopped, at(9, 9, 9)]).unwrap_err().contains("has stopped: cannot read"));
        assert!(judge(&[]).is_err());
    }
}
