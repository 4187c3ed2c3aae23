//! A case as it stood at a moment of the past, folded from its records as the log has them.

use std::sync::Arc;

use prost_types::Timestamp;
use seva_api::edge::{Edge, log_error, unreadable};
use seva_api::pb::intake::v1::Case;
use seva_api::pb::intake::v1::get_case_request::AsOf;
use seva_api::status::Error;
use seva_domain::noun::Noun;
use seva_domain::record::Record;
use seva_domain::values::CaseId;
use seva_eventlog::commit::{Position, ReadCommit};
use seva_eventlog::store::Store;

use crate::read_models::{cases, places};

/// The case as of a moment; `None` if it was not there then.
pub(crate) async fn case(
    edge: &Edge,
    rows: &Arc<dyn Store>,
    id: CaseId,
    as_of: &AsOf,
) -> Result<Option<Case>, Error> {
    let until = match as_of {
        AsOf::AsOfPosition(token) => Until::Position(edge.position("as_of_position", token)?),
        AsOf::AsOfTime(time) => Until::Time(micros(time)?),
    };
    let mut case = None;
    for position in places::of(rows.as_ref(), id).map_err(unreadable)? {
        if matches!(until, Until::Position(until) if position > until) {
            break;
        }
        let record = record(edge, position, id).await?;
        if matches!(until, Until::Time(until) if record.recorded_at.0 > until) {
            break;
        }
        case = Some(cases::apply(case, &record, id));
    }
    Ok(case)
}

enum Until {
    Position(Position),
    /// Microseconds since 1970.
    Time(i64),
}

async fn record(edge: &Edge, position: Position, id: CaseId) -> Result<Arc<Record>, Error> {
    let stored = edge.engine().log().read(position.sequence()).await.map_err(log_error)?;
    let stored = stored.ok_or_else(damaged)?;
    let commit = ReadCommit::decode(&stored.bytes, |noun| noun == "case");
    let commit = commit.map_err(|error| Error::Internal(error.into()))?;
    let record =
        commit.records().find(|(index, _)| *index == position.index()).map(|(_, record)| Arc::clone(record));
    record.filter(|record| record.noun == Noun::Case(id)).ok_or_else(damaged)
}

fn micros(time: &Timestamp) -> Result<i64, Error> {
    if !(0..1_000_000_000).contains(&time.nanos) {
        return Err(Error::malformed("as_of_time", "is not a time: nanos should be 0 to 999999999"));
    }
    let micros =
        time.seconds.checked_mul(1_000_000).and_then(|s| s.checked_add(i64::from(time.nanos) / 1_000));
    micros.ok_or_else(|| Error::malformed("as_of_time", "is not a time that can be kept"))
}

fn damaged() -> Error {
    Error::Internal("a case's record is not where it should be".into())
}
