//! An event of the log as a CloudEvents 1.0 message in NATS binary mode: attributes in `ce-` headers, the data as the body.

use std::fmt;

use async_nats::HeaderMap;
use bytes::Bytes;
use seva_domain::published::{Published, Time};
use seva_domain::record::{Cause, Entry, Origin, Record};
use seva_eventlog::commit::{BadToken, Digest, Position};
use seva_eventlog::follow::{Chains, Followed};

use crate::percent;

/// What every published subject begins with.
pub const SUBJECTS: &str = "seva.events";

/// What each attribute's header begins with.
const PREFIX: &str = "ce-";

/// Every attribute that an event can have, and what it says.
pub const ATTRIBUTES: [(&str, &str); 17] = [
    (
        "id",
        "Where it stands: its record's position in the log, as writes answer it, and its index there. Unique for ever.",
    ),
    ("source", "The service that wrote it."),
    ("specversion", "`1.0`."),
    ("type", "Its type and version."),
    ("subject", "The id of what it happened to."),
    ("time", "When it happened."),
    ("datacontenttype", "`application/json`."),
    ("recordedtime", "When it was written."),
    ("effectivetime", "The time that rules reckoned with."),
    ("origin", "`fact`: people or systems did it; `rule`: the policy made it of a fact."),
    ("actor", "Who did it: an opaque id; `policy` where nobody did."),
    ("policyversion", "The policy version in force; 0 before there was one."),
    ("rev", "The record's number among those of its subject, from 1."),
    ("record", "The record's id; events of one decision share it."),
    ("cause", "The id of the record that this one follows from, if it follows from one."),
    ("due", "The due time that was reached, if that is what made it."),
    ("import", "The import that brought it, if one did."),
];

/// The header that says where each shard stood before the event's commit: what the relay goes on from.
pub(crate) const BEFORE: &str = "seva-log-before";

/// The header that holds the digest of all shards' chains after the event's commit.
pub(crate) const DIGEST: &str = "seva-log-digest";

/// Where an event stands: its record's position, and its index in the record.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    pub position: Position,
    pub event: u16,
}

impl Place {
    /// The event's id: its record's position as callers hold it, and the event's index.
    pub fn id(self, incarnation: &str) -> String {
        format!("{}-{}", self.position.token(incarnation), self.event)
    }

    /// The place that an id of this log names.
    pub fn from_id(id: &str, incarnation: &str) -> Result<Place, BadToken> {
        let (token, event) = id.rsplit_once('-').ok_or(BadToken::Malformed)?;
        let event = event.parse().map_err(|_| BadToken::Malformed)?;
        Ok(Place { position: Position::from_token(token, incarnation)?, event })
    }
}

/// A message for [`crate::stream::STREAM`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloudEvent {
    pub place: Place,
    /// The subject in NATS: `seva.events.case.opened`.
    pub subject: String,
    pub headers: HeaderMap,
    pub data: Bytes,
}

/// The events of a commit, in order.
pub fn events_of(followed: &Followed, incarnation: &str) -> Result<Vec<CloudEvent>, serde_json::Error> {
    let (before, digest) = (tips(&followed.before), digest(&followed.after).to_string());
    let mut events = Vec::new();
    for (index, record) in followed.commit.records() {
        for (event, entry) in (0..).zip(&record.events) {
            let place = Place { position: Position::of(followed.sequence, index), event };
            let published = Published::from(&entry.event);
            let mut headers = attributes(followed, record, entry, &published);
            headers.insert("ce-id", percent::encode(&place.id(incarnation)));
            headers.insert(BEFORE, before.as_str());
            headers.insert(DIGEST, digest.as_str());
            let data = serde_json::to_vec(&published)?.into();
            events.push(CloudEvent { place, subject: subject(published.wire_type()), headers, data });
        }
    }
    Ok(events)
}

/// All attributes but the id, as headers.
fn attributes(followed: &Followed, record: &Record, entry: &Entry, published: &Published) -> HeaderMap {
    let Record {
        id,
        noun,
        rev,
        events: _,
        // Which request it was, by a keyed hash, is nobody's business outside.
        request: _,
        actor,
        policy,
        occurred_at,
        effective_at,
        recorded_at,
        cause,
        step: _,
        depth: _,
        import,
    } = record;
    let origin = match entry.origin {
        Origin::Fact => "fact",
        Origin::Rule => "rule",
    };
    let mut headers = HeaderMap::new();
    let mut attribute = |header: &'static str, value: &str| headers.insert(header, percent::encode(value));
    attribute("ce-specversion", "1.0");
    attribute("ce-source", &format!("/seva/{}", followed.service.name()));
    attribute("ce-type", published.wire_type());
    attribute("ce-subject", &noun.id());
    attribute("ce-time", &Time(*occurred_at).to_string());
    attribute("ce-datacontenttype", "application/json");
    attribute("ce-recordedtime", &Time(*recorded_at).to_string());
    attribute("ce-effectivetime", &Time(*effective_at).to_string());
    attribute("ce-origin", origin);
    attribute("ce-actor", actor.as_str());
    attribute("ce-policyversion", &policy.to_string());
    attribute("ce-rev", &rev.to_string());
    attribute("ce-record", &id.to_string());
    match cause {
        None => {}
        Some(Cause::Here(index)) => {
            if let Some(Some(cause)) = followed.commit.records.get(usize::from(*index)) {
                attribute("ce-cause", &cause.id.to_string());
            }
        }
        Some(Cause::Record(id)) => attribute("ce-cause", &id.to_string()),
        Some(Cause::Due(at)) => attribute("ce-due", &Time(*at).to_string()),
    }
    if let Some(import) = import {
        attribute("ce-import", &import.to_string());
    }
    headers
}

/// The subject of a type of event: `seva.events.case.opened` for `case.opened.v1`.
pub fn subject(wire_type: &str) -> String {
    let (name, _version) = wire_type.rsplit_once('.').unwrap_or((wire_type, ""));
    format!("{SUBJECTS}.{name}")
}

/// The last sequence of each shard: `feedback:155,intake:157`.
fn tips(chains: &Chains) -> String {
    let tips: Vec<String> =
        chains.shards.iter().map(|(service, (sequence, _))| format!("{service}:{sequence}")).collect();
    tips.join(",")
}

/// The digest of all shards' chains up to a sequence of the log.
pub(crate) fn digest(chains: &Chains) -> Digest {
    let Chains { sequence, shards } = chains;
    let shards = shards.iter().map(|(service, (tip, digest))| format!(",{service}:{tip}:{digest}"));
    Digest::of(format!("{sequence}{}", shards.collect::<String>()).as_bytes())
}

/// A published message as a subscriber has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// By name, without `ce-`, in order of their names.
    pub attributes: Vec<(String, String)>,
    pub data: serde_json::Value,
}

/// Says that a message is not one that the relay wrote.
#[derive(Debug, thiserror::Error)]
#[error("is not a CloudEvents message: {0}")]
pub struct NotACloudEvent(String);

impl Received {
    /// Reads a message.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Received, NotACloudEvent> {
        let mut attributes = Vec::new();
        for (name, values) in headers.iter() {
            let name: &str = name.as_ref();
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            let value = values.first().and_then(|value| percent::decode(value.as_str()));
            let value =
                value.ok_or_else(|| NotACloudEvent(format!("the attribute `{name}` is malformed")))?;
            attributes.push((name.to_owned(), value));
        }
        attributes.sort();
        let data = serde_json::from_slice(body)
            .map_err(|error| NotACloudEvent(format!("its data is not JSON (line {})", error.line())))?;
        let received = Received { attributes, data };
        match received.attribute("specversion") {
            Some("1.0") => Ok(received),
            Some(_) | None => Err(NotACloudEvent("its version is not 1.0".to_owned())),
        }
    }

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The event in CloudEvents' JSON format.
    pub fn to_json(&self) -> serde_json::Value {
        let attributes = self.attributes.iter();
        let mut object: serde_json::Map<String, serde_json::Value> =
            attributes.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        object.insert("data".to_owned(), self.data.clone());
        object.into()
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = |name| self.attribute(name).unwrap_or("-");
        write!(f, "{} {} {} {}", attribute("time"), attribute("type"), attribute("subject"), self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { position: Position::of(158, 1), event: 2 }
    }

    #[test]
    fn an_id_is_the_position_that_callers_hold_and_the_events_index() {
        assert_eq!(place().id("18ea4b0c3f90b6d1"), "18ea4b0c3f90b6d1-9e001-2");
        assert_eq!(Place::from_id("18ea4b0c3f90b6d1-9e001-2", "18ea4b0c3f90b6d1"), Ok(place()));
    }

    #[test]
    fn an_id_of_another_log_or_of_nothing_is_told() {
        assert_eq!(Place::from_id("a-9e001-2", "b"), Err(BadToken::OfAnotherLog));
        for id in ["", "a", "a-9e001", "a-9e001-x", "a-z-1"] {
            assert_eq!(Place::from_id(id, "a"), Err(BadToken::Malformed), "{id}");
        }
    }

    #[test]
    fn places_are_in_the_order_of_the_log() {
        let at = |sequence, index, event| Place { position: Position::of(sequence, index), event };
        let places = [at(1, 0, 0), at(1, 0, 1), at(1, 1, 0), at(1, 255, 9), at(2, 0, 0)];
        assert!(places.is_sorted());
    }

    #[test]
    fn a_subject_has_no_version() {
        assert_eq!(subject("suggestion.outcome_reported.v1"), "seva.events.suggestion.outcome_reported");
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut headers = HeaderMap::new();
        headers.insert("ce-specversion", "1.0");
        headers.insert("ce-actor", percent::encode("agent 7 %"));
        headers.insert(BEFORE, "intake:7");
        assert_eq!(headers.get("ce-actor").map(|value| value.as_str()), Some("agent%207%20%25"));
        let received = Received::read(&headers, b"{\"a\":1}").unwrap();
        assert_eq!(received.attribute("actor"), Some("agent 7 %"));
        assert_eq!(
            received.to_json(),
            serde_json::json!({"actor": "agent 7 %", "data": {"a": 1}, "specversion": "1.0"})
        );
        assert!(Received::read(&HeaderMap::new(), b"{}").is_err());
        assert!(Received::read(&headers, b"{").is_err());
    }
}
