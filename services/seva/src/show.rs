//! How values of the API read in tables: texts, times and the names of channels, kinds and phases.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use seva_api::pb::common::v1::{CaseKind, Channel, Text, text};
use seva_api::pb::feedback::v1::SuggestionPhase;
use seva_api::pb::intake::v1::{Direction, TimelineEntry, timeline_entry};
use seva_api::pb::refunds::v1::RefundPhase;

/// A text as the caller may see it.
pub(crate) fn text(text: Option<&Text>) -> &str {
    match text.and_then(|text| text.value.as_ref()) {
        Some(text::Value::Clear(clear)) => clear,
        Some(text::Value::Erased(_)) => "(erased)",
        Some(text::Value::Closed(_) | text::Value::Sealed(_)) => "(closed)",
        None => "",
    }
}

/// A time as `2026-03-02 08:41`, in UTC.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> String {
    let instant = time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    instant.map_or_else(String::new, |at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string())
}

/// A channel's name.
pub(crate) fn channel(channel: Channel) -> String {
    short(channel.as_str_name(), "CHANNEL_")
}

/// What a matter is about.
pub(crate) fn kind(kind: CaseKind) -> String {
    short(kind.as_str_name(), "CASE_KIND_")
}

/// How far a refund is.
pub(crate) fn refund_phase(phase: RefundPhase) -> String {
    short(phase.as_str_name(), "REFUND_PHASE_")
}

/// How far a suggestion is.
pub(crate) fn phase(phase: SuggestionPhase) -> String {
    short(phase.as_str_name(), "SUGGESTION_PHASE_")
}

/// What a case's step is called: `resolved` of `case.resolved.v1`.
pub(crate) fn event(event_type: &str) -> String {
    let name = event_type.split('.').nth(1).unwrap_or(event_type);
    name.replace("resolution_", "").replace('_', " ")
}

/// Who speaks and what happened in an entry of a timeline: two words for a table, and the text.
pub(crate) fn entry(entry: &TimelineEntry) -> (String, String, &str) {
    match &entry.what {
        Some(timeline_entry::What::Interaction(said)) => {
            let way = if said.direction() == Direction::Outbound { "out" } else { "in" };
            (format!("{way} {}", channel(said.channel())), kind(said.kind()), text(said.text.as_ref()))
        }
        Some(timeline_entry::What::Step(step)) => {
            ("case".to_owned(), event(&step.event_type), text(step.note.as_ref()))
        }
        None => (String::new(), String::new(), ""),
    }
}

fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_read_as_words() {
        assert_eq!(channel(Channel::InStore), "in store");
        assert_eq!(kind(CaseKind::Complaint), "complaint");
        assert_eq!(event("case.resolution_confirmed.v1"), "confirmed");
        assert_eq!(event("case.reopened.v1"), "reopened");
        let at = prost_types::Timestamp { seconds: 1_772_440_860, nanos: 0 };
        assert_eq!(time(Some(&at)), "2026-03-02 08:41");
        assert_eq!(time(None), "");
    }
}
