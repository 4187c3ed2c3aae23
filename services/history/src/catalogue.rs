//! The catalogue: every type of event that is published, as a page for whoever subscribes. Made from the types themselves.

use std::fmt::Write as _;

use seva_domain::published::{Described, Published, catalogue};

use crate::cloud_event::{ATTRIBUTES, SUBJECTS, subject};
use crate::stream::STREAM;

/// The page, in Markdown.
pub fn markdown() -> Result<String, serde_json::Error> {
    let mut page = head();
    let mut noun = "";
    for described in catalogue() {
        let of = described.wire_type.split('.').next().unwrap_or_default();
        if of != noun {
            page.push_str(&format!("\n## {of}\n"));
            noun = of;
        }
        page.push_str(&event(&described)?);
    }
    Ok(page)
}

fn head() -> String {
    let mut head = format!(
        "# Published events\n\n\
         The stream `{STREAM}` holds one CloudEvents 1.0 message an event, in the order of the log, under `{SUBJECTS}.<noun>.<event>`.\n\
         Attributes stand in `ce-` headers, percent-encoded; the body is JSON. Nothing in it is a person's words, name or address.\n\
         A type never changes: another shape is another version.\n\n\
         | attribute | what it says |\n|---|---|\n"
    );
    for (name, says) in ATTRIBUTES {
        row(&mut head, &[&format!("`{name}`"), says]);
    }
    head
}

fn event(described: &Described<Published>) -> Result<String, serde_json::Error> {
    let Described { wire_type, meaning, fields, example } = described;
    let mut text = format!("\n### `{wire_type}`\n\n{meaning} Subject: `{}`\n\n", subject(wire_type));
    if fields.is_empty() {
        text.push_str("It has no fields.\n");
        return Ok(text);
    }
    text.push_str("| field | what stands there | what it says |\n|---|---|---|\n");
    for field in fields {
        row(&mut text, &[&format!("`{}`", field.name), &field.is, field.meaning]);
    }
    // Writing to a string cannot fail.
    write!(text, "\n```json\n{}\n```\n", serde_json::to_string(example)?).unwrap_or_default();
    Ok(text)
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_place_and_an_example_that_can_be_read() {
        let page = markdown().unwrap();
        for described in catalogue() {
            assert!(page.contains(&format!("\n### `{}`\n", described.wire_type)), "{}", described.wire_type);
            assert!(page.contains(described.meaning), "{}", described.meaning);
        }
        let shown = page.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
        let with_fields = catalogue().into_iter().filter(|described| !described.fields.is_empty());
        let examples = with_fields.map(|described| serde_json::to_string(&described.example).unwrap());
        assert!(shown.eq(examples));
    }

    #[test]
    fn an_event_is_told_like_this() {
        let page = markdown().unwrap();
        let told =
            page.split("\n### `suggestion.rerouted.v1`").nth(1).unwrap().split("\n###").next().unwrap();
        assert_eq!(
            told,
            r#"

It belonged elsewhere. Subject: `seva.events.suggestion.rerouted`

| field | what stands there | what it says |
|---|---|---|
| `from` | a department's id; `triage` where a person decides | The department that had it. |
| `to` | a department's id; `triage` where a person decides | The department that has it now. |

```json
{"from":"delivery","to":"delivery"}
```
"#
        );
    }

    #[test]
    fn a_noun_is_one_chapter() {
        let page = markdown().unwrap();
        let mut chapters: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        let all = chapters.len();
        chapters.dedup();
        chapters.sort_unstable();
        chapters.dedup();
        assert_eq!(chapters.len(), all);
    }
}
