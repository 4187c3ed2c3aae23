//! Waiting for every process to reach the end of the log, and asking each for the digests of its read models, as they are and rebuilt.

use std::time::Duration;

use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::operations::v1::{
    DigestReadModelsRequest, GetStatusRequest, GetStatusResponse, RebuildReadModelRequest,
};
use seva_domain::values::At;
use seva_eventlog::log::Log;
use tokio::time::Instant;

use crate::clock::Pace;
use crate::doors::Door;
use crate::history::{History, Line};
use crate::processes::Processes;
use crate::states::States;

/// How long one question to an operator's door may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long a rebuild may take.
const REBUILD_MAX: Duration = Duration::from_secs(120);

/// Waits until every process serves and holds the whole log, twice the same, and nothing more happens by itself. Answers what is amiss where that takes too long.
pub(crate) async fn settled(
    doors: &[&Door],
    log: &Log,
    processes: &mut Processes,
    pace: Pace,
    within: Duration,
) -> anyhow::Result<Option<String>> {
    let until = Instant::now() + within;
    let mut states = States::default();
    let mut last_end = 0;
    loop {
        processes.look_after()?;
        let end = log.end().await.unwrap_or(0);
        let mut trouble = (end == 0).then(|| "the log has no end".to_owned());
        for door in doors {
            trouble = trouble.or(behind(door, end).await);
        }
        if trouble.is_none() {
            states.read(log, end).await?;
            trouble = states.next(At(pace.now())).map(|due| format!("{due} is still to happen by itself"));
        }
        if trouble.is_none() && end == last_end {
            return Ok(None);
        }
        if Instant::now() > until {
            return Ok(Some(trouble.unwrap_or_else(|| "the log grows by itself".to_owned())));
        }
        last_end = end;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What keeps a process from having settled at a sequence.
async fn behind(door: &Door, end: u64) -> Option<String> {
    let status = match status(door).await {
        Ok(status) => status,
        Err(error) => return Some(format!("{}: {error}", door.name)),
    };
    if status.state != "SERVING" {
        return Some(format!("{} is {}: {}", door.name, status.state, status.reason));
    }
    if let Some(model) = status.read_models.iter().find(|model| !model.stopped.is_empty()) {
        return Some(format!("{}: {} has stopped: {}", door.name, model.name, model.stopped));
    }
    let least = status.read_models.iter().map(|model| model.sequence).min().unwrap_or(end);
    let least = least.min(status.followed_sequence).min(status.reacted_sequence);
    (least < end).then(|| format!("{} is at {least} of {end}", door.name))
}

/// How a process is.
pub(crate) async fn status(door: &Door) -> anyhow::Result<GetStatusResponse> {
    let mut client = OperationsServiceClient::new(door.channel.clone());
    let answer = tokio::time::timeout(ANSWER_MAX, client.get_status(GetStatusRequest {})).await??;
    Ok(answer.into_inner())
}

/// Writes down the digests of a process's read models, rebuilds each, and writes them down again.
pub(crate) async fn digests(door: &Door, history: &History) -> anyhow::Result<()> {
    let mut client = OperationsServiceClient::new(door.channel.clone());
    for is_rebuilt in [false, true] {
        let digests = client.digest_read_models(DigestReadModelsRequest {});
        let digests = tokio::time::timeout(REBUILD_MAX, digests).await??.into_inner();
        for model in &digests.read_models {
            history.write(&Line::Digest {
                process: door.name.clone(),
                model: model.name.clone(),
                sequence: model.sequence,
                rows: model.rows,
                digest: model.digest.clone(),
                is_rebuilt,
            })?;
        }
        if is_rebuilt {
            return Ok(());
        }
        for model in digests.read_models {
            let rebuild = client.rebuild_read_model(RebuildReadModelRequest { name: model.name });
            tokio::time::timeout(REBUILD_MAX, rebuild).await??;
        }
    }
    Ok(())
}
