//! The policy of a run: the starter policy, with times so short that much happens by itself within the run.

use std::time::Duration;

use anyhow::Context as _;
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_domain::policy::{Document, STARTER};
use tokio::time::Instant;

use crate::doors::Door;

/// How long a rung has to answer.
const ANSWER_WITHIN_MINUTES: u32 = 1;

/// How long the first attempt to pay may be without an outcome, in a run whose clock is fast.
pub(crate) const OUTCOME_WITHIN_SECONDS: u32 = 30;

/// The document.
fn document(outcome_within_seconds: u32) -> anyhow::Result<String> {
    let starter = Document::parse(STARTER);
    let mut document = starter.map_err(|findings| anyhow::anyhow!("the starter policy: {findings:?}"))?;
    document.title = "Policy of a fault run".to_owned();
    for kind in document.promise.kinds.iter_mut().filter(|kind| kind.id == "callback") {
        kind.soonest_minutes = 0;
    }
    for rung in document.escalation.ladders.iter_mut().flat_map(|ladder| &mut ladder.rungs) {
        rung.answer_within_minutes = ANSWER_WITHIN_MINUTES;
    }
    document.refund.outcome_within_seconds = outcome_within_seconds;
    Ok(toml::to_string(&document)?)
}

/// Publishes it, as soon as the starter policy stands.
pub(crate) async fn publish(
    door: &Door,
    outcome_within_seconds: u32,
    within: Duration,
) -> anyhow::Result<()> {
    let request = PublishPolicyRequest {
        request_id: "policy-of-the-run".to_owned(),
        document: document(outcome_within_seconds)?,
        reason: "so that much happens by itself".to_owned(),
        expected_version: Some(1),
    };
    let until = Instant::now() + within;
    loop {
        let answer = PolicyServiceClient::new(door.channel.clone()).publish_policy(request.clone()).await;
        match answer {
            Ok(_) => return Ok(()),
            Err(status) if Instant::now() > until => return Err(status).context("the policy of the run"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
