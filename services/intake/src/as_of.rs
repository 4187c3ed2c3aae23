//! A case as it stood at a moment of the past, folded from its records as the log has them.

use std::sync::Arc;

use prost_types::Timestamp;
use seva_api::edge::{Edge, log_error};
use seva_api::pb::intake::v1::Case;
use seva_api::pb::intake::v1::get_case_request::AsOf;
use seva_api::status::Error;
use seva_domain::noun::Noun;
use seva_domain::record::Record;
use seva_domain::values::CaseId;
use seva_eventlog::commit::{Position, ReadCommit};
use seva_eventlog::store::Store;

use crate::read_models::cases;

/// How many records of a case are found at once.
const PAGE: usize = 256;

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
    let prefix = cases::rev_prefix(id);
    let mut case = None;
    let mut from = prefix.clone();
    loop {
        let page = rows.scan(&prefix, Some(&from), PAGE).map_err(|error| Error::Internal(error.into()))?;
        for (_, position) in &page {
            let position: [u8; 8] = position.as_slice().try_into().map_err(|_| damaged())?;
            let position = Position::from_key(position);
            if matches!(until, Until::Position(until) if position > until) {
                return Ok(case);
            }
            let record = record(edge, position, id).await?;
            if matches!(until, Until::Time(until) if record.recorded_at.0 > until) {
                return Ok(case);
            }
            case = Some(cases::apply(case, &record, id));
        }
        let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else { return Ok(case) };
        from = [last.as_slice(), &[0]].concat();
    }
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
