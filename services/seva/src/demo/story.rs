//! One customer's whole story in at most ten lines.

use std::collections::HashMap;

use seva_api::pb::intake::v1::{TimelineEntry, timeline_entry};

use crate::{output, show};

/// How many lines a story takes at most.
pub(crate) const LINES_MAX: usize = 10;

/// A line for each thing said; what was done to cases in between stands together on one. What is too much is left out in
/// the middle, and the line there says how much.
pub(crate) fn tell(entries: &[TimelineEntry]) -> Vec<String> {
    let mut kinds: HashMap<&str, String> = HashMap::new();
    let mut lines: Vec<String> = Vec::new();
    let mut steps: Vec<&TimelineEntry> = Vec::new();
    for entry in entries {
        match &entry.what {
            Some(timeline_entry::What::Step(_)) => steps.push(entry),
            Some(timeline_entry::What::Interaction(said)) => {
                lines.extend(fold(&steps, &kinds));
                steps.clear();
                kinds.insert(&entry.case_id, show::kind(said.kind()));
                lines.push(spoken(entry, &said.language));
            }
            None => {}
        }
    }
    lines.extend(fold(&steps, &kinds));
    shorten(lines)
}

fn spoken(entry: &TimelineEntry, language: &str) -> String {
    let (way, what, text) = show::entry(entry);
    let when = show::time(entry.occurred_at.as_ref());
    output::clip_end(&format!(
        "  {when}  {language:<2}  {}  {}  {text}",
        output::pad(&way, 14),
        output::pad(&what, 10)
    ))
}

/// What was done to cases, in order: `complaint resolved, rejected, resolved; enquiry confirmed`.
fn fold(steps: &[&TimelineEntry], kinds: &HashMap<&str, String>) -> Option<String> {
    let when = show::time(steps.first()?.occurred_at.as_ref());
    let mut told = String::new();
    let mut last = "";
    for entry in steps {
        let Some(timeline_entry::What::Step(step)) = &entry.what else { continue };
        let kind = kinds.get(entry.case_id.as_str()).map_or("case", String::as_str);
        match (told.is_empty(), last == entry.case_id) {
            (true, _) => told.push_str(&format!("{kind} ")),
            (false, true) => told.push_str(", "),
            (false, false) => told.push_str(&format!("; {kind} ")),
        }
        told.push_str(&show::event(&step.event_type));
        last = &entry.case_id;
    }
    Some(output::clip_end(&format!("  {when}      {}  {told}", output::pad("done", 14))))
}

fn shorten(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES_MAX {
        let left_out = lines.len() - (LINES_MAX - 1);
        let from = LINES_MAX / 2;
        lines.splice(from..from + left_out, [format!("  … {left_out} more: `seva timeline` shows them all")]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use seva_api::pb::common::v1::{CaseKind, Channel, Text, text};
    use seva_api::pb::intake::v1::{CaseStep, Direction, InteractionEntry};

    use super::*;

    fn said(case: &str, words: &str) -> TimelineEntry {
        let interaction = InteractionEntry {
            channel: Channel::Chat.into(),
            direction: Direction::Inbound.into(),
            language: "hi".to_owned(),
            kind: CaseKind::Complaint.into(),
            text: Some(Text { value: Some(text::Value::Clear(words.to_owned())) }),
            ..InteractionEntry::default()
        };
        let what = Some(timeline_entry::What::Interaction(interaction));
        TimelineEntry { case_id: case.to_owned(), what, ..TimelineEntry::default() }
    }

    fn done(case: &str, event: &str) -> TimelineEntry {
        let step = CaseStep { event_type: format!("case.{event}.v1"), note: None };
        let what = Some(timeline_entry::What::Step(step));
        TimelineEntry { case_id: case.to_owned(), what, ..TimelineEntry::default() }
    }

    #[test]
    fn what_was_done_to_cases_stands_together() {
        let entries = [
            said("a", "ढक्कन टेढ़ा है"),
            said("b", "और चम्मच?"),
            done("a", "resolved"),
            done("a", "resolution_rejected"),
            done("b", "resolved"),
        ];
        let lines = tell(&entries);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("in chat") && lines[0].contains("ढक्कन"), "{lines:?}");
        assert!(lines[2].ends_with("complaint resolved, rejected; complaint resolved"), "{lines:?}");
    }

    #[test]
    fn a_long_story_keeps_its_beginning_and_its_end() {
        let entries: Vec<TimelineEntry> =
            (0..25).map(|n| said("a", &format!("word {n} ").repeat(30))).collect();
        let lines = tell(&entries);
        assert_eq!(lines.len(), LINES_MAX);
        assert!(lines[0].contains("word 0") && lines[9].contains("word 24"));
        assert!(lines[5].contains("16 more"), "{lines:?}");
        assert!(lines.iter().all(|line| output::width(line) <= output::COLUMNS));
    }

    #[test]
    fn nobody_has_a_short_story() {
        assert!(tell(&[]).is_empty());
    }
}
