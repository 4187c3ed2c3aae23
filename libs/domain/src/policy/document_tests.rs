//! What a policy document must be before it can be published, told as stories.

use super::document::{
    DOCUMENT_BYTES_MAX, Document, FINDINGS_MAX, PHRASE_CHARS_MAX, PHRASES_MAX, STARTER, TABLES_MAX,
};
use crate::values::{Department, Hit};

const HEAD: &str = r#"
title = "Test policy"

[case]
rule = "Contacts join an open case."
join_within_days = 14
confirm_silence_days = 14

[routing]
rule = "Words name the department."
departments = [{ id = "delivery", name = "Delivery" }, { id = "product", name = "Product" }]
"#;

/// A document whose only table has these rows, each of an id, a department and phrases as a TOML array.
fn with_rows(rows: &[(&str, &str, &str)]) -> String {
    let mut toml = format!("{HEAD}\n[[routing.tables]]\nlanguage = \"en\"\nrule = \"English.\"\n");
    for (id, department, phrases) in rows {
        toml += &format!(
            "[[routing.tables.rows]]\nid = \"{id}\"\ndepartment = \"{department}\"\nphrases = {phrases}\n"
        );
    }
    toml
}

#[track_caller]
fn accepted(toml: &str) -> Document {
    match Document::parse(toml) {
        Ok(document) => document,
        Err(findings) => panic!("refused: {findings:?}"),
    }
}

/// Asserts that exactly one thing is wrong, at this path, and that the message says so.
#[track_caller]
fn refused(toml: &str, path: &str, says: &str) {
    match Document::parse(toml) {
        Ok(_) => panic!("accepted, but {path} is wrong"),
        Err(findings) => {
            let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
            assert_eq!(paths, [path], "{findings:?}");
            assert!(findings[0].message.contains(says), "{findings:?}");
        }
    }
}

fn hit(table: &str, row: &str) -> Hit {
    Hit { table: table.to_owned(), row: row.to_owned(), phrase: "late".to_owned() }
}

#[test]
fn the_starter_policy_can_be_published_as_it_is() {
    let starter = accepted(STARTER);
    assert_eq!((starter.case.join_within_days, starter.case.confirm_silence_days), (14, 14));
    for id in ["product", "marketing", "packaging", "delivery", "billing", "service", "triage"] {
        assert!(starter.has_department(&Department::parse(id).unwrap()), "{id}");
    }
    for language in ["any", "bn", "en", "hi", "ta", "tr"] {
        assert!(starter.routing.tables.iter().any(|table| table.language == language), "{language}");
    }
}

#[test]
fn every_row_of_the_starter_leads_to_a_department() {
    let starter = accepted(STARTER);
    for table in &starter.routing.tables {
        for row in &table.rows {
            let department = starter.department(&hit(&table.language, &row.id)).unwrap();
            assert!(starter.has_department(&department), "{} {}", table.language, row.id);
        }
    }
}

#[test]
fn a_document_written_out_reads_back_the_same() {
    let starter = accepted(STARTER);
    assert_eq!(accepted(&toml::to_string(&starter).unwrap()), starter);
}

#[test]
fn a_hit_of_this_policy_leads_to_its_rows_department_and_any_other_hit_nowhere() {
    let document = accepted(&with_rows(&[("late", "delivery", r#"["late"]"#)]));
    assert_eq!(document.department(&hit("en", "late")), Department::parse("delivery"));
    assert_eq!(document.department(&hit("en", "gone")), None);
    assert_eq!(document.department(&hit("fr", "late")), None);
}

#[test]
fn triage_always_exists_and_others_only_when_declared() {
    let document = accepted(&with_rows(&[("people", "triage", r#"["somebody"]"#)]));
    assert!(document.has_department(&Department::triage()));
    assert!(document.has_department(&Department::parse("product").unwrap()));
    assert!(!document.has_department(&Department::parse("legal").unwrap()));
}

#[test]
fn a_syntax_error_is_reported_with_its_line() {
    refused("title = \"x\"\n\n[case\n", "line 3", "");
}

#[test]
fn a_field_nobody_knows_is_refused_with_its_line() {
    refused(&no_tables().replace("title =", "titel = \"x\"\ntitle ="), "line 2", "titel");
}

#[test]
fn a_missing_field_is_refused() {
    let findings = Document::parse("title = \"x\"\n").unwrap_err();
    assert!(findings[0].path.starts_with("line "), "{findings:?}");
    assert!(findings[0].message.contains("case"), "{findings:?}");
}

#[test]
fn a_document_beyond_its_size_is_refused_unread() {
    refused(&"#".repeat(DOCUMENT_BYTES_MAX + 1), "line 1", "bytes");
}

#[test]
fn a_title_and_every_plain_language_rule_must_say_something() {
    let whole = with_rows(&[("late", "delivery", r#"["late"]"#)]);
    refused(&whole.replace("Test policy", " "), "title", "empty");
    refused(&whole.replace("Test policy", &"x".repeat(201)), "title", "200");
    refused(&whole.replace("Contacts join an open case.", ""), "case.rule", "empty");
    refused(&whole.replace("Words name the department.", ""), "routing.rule", "empty");
    refused(&whole.replace("English.", ""), "routing.tables[0].rule", "empty");
    refused(&whole.replace("name = \"Product\"", "name = \"\""), "routing.departments[1].name", "empty");
}

#[test]
fn periods_are_between_one_day_and_a_year() {
    refused(
        &no_tables().replace("join_within_days = 14", "join_within_days = 0"),
        "case.join_within_days",
        "1 to 365",
    );
    let year_and_a_day = no_tables().replace("confirm_silence_days = 14", "confirm_silence_days = 366");
    refused(&year_and_a_day, "case.confirm_silence_days", "1 to 365");
}

fn no_tables() -> String {
    format!("{HEAD}tables = []\n")
}

#[test]
fn a_department_has_a_well_formed_id_is_declared_once_and_is_not_triage() {
    let toml = no_tables();
    refused(&toml.replace("id = \"product\"", "id = \"Product!\""), "routing.departments[1].id", "not an id");
    refused(&toml.replace("id = \"product\"", "id = \"delivery\""), "routing.departments[1].id", "twice");
    refused(
        &toml.replace("id = \"product\"", "id = \"triage\""),
        "routing.departments[1].id",
        "always exists",
    );
}

#[test]
fn a_table_is_for_one_language_or_any_and_once() {
    let toml = with_rows(&[("late", "delivery", r#"["late"]"#)]);
    for wrong in ["EN", "en-gb", "und", "", "english!"] {
        refused(&toml.replace("\"en\"", &format!("\"{wrong}\"")), "routing.tables[0].language", "neither");
    }
    let twice = format!("{toml}\n[[routing.tables]]\nlanguage = \"en\"\nrule = \"Again.\"\nrows = []\n");
    refused(&twice, "routing.tables[1].language", "already");
    accepted(&toml.replace("\"en\"", "\"any\""));
}

#[test]
fn a_row_has_a_well_formed_id_once_per_table() {
    refused(&with_rows(&[("No Id", "delivery", r#"["late"]"#)]), "routing.tables[0].rows[0].id", "not an id");
    let twice = with_rows(&[("late", "delivery", r#"["late"]"#), ("late", "product", r#"["screen"]"#)]);
    refused(&twice, "routing.tables[0].rows[1].id", "twice");
}

#[test]
fn a_row_names_a_department_there_is() {
    refused(
        &with_rows(&[("late", "logistics", r#"["late"]"#)]),
        "routing.tables[0].rows[0].department",
        "logistics",
    );
}

#[test]
fn a_row_without_phrases_is_refused() {
    refused(&with_rows(&[("late", "delivery", "[]")]), "routing.tables[0].rows[0].phrases", "never fires");
}

#[test]
fn a_phrase_without_letter_or_digit_is_refused() {
    for empty in ["", "  ", "!?", "*", "\u{200D}"] {
        let row = format!(r#"["late", "{empty}"]"#);
        let findings = Document::parse(&with_rows(&[("late", "delivery", &row)])).unwrap_err();
        assert_eq!(findings[0].path, "routing.tables[0].rows[0].phrases[1]", "{empty:?}");
    }
}

#[test]
fn a_star_stands_only_at_the_end_of_the_last_word() {
    for wrong in ["la*te", "late *", "*late", "late**"] {
        let row = format!(r#"["{wrong}"]"#);
        refused(&with_rows(&[("late", "delivery", &row)]), "routing.tables[0].rows[0].phrases[0]", "star");
    }
}

#[test]
fn a_phrase_beyond_its_length_is_refused() {
    let row = format!(r#"["{}"]"#, "x".repeat(PHRASE_CHARS_MAX + 1));
    refused(&with_rows(&[("late", "delivery", &row)]), "routing.tables[0].rows[0].phrases[0]", "100");
}

#[test]
fn the_same_phrase_twice_in_a_table_is_refused_however_it_is_written() {
    let rows =
        [("late", "delivery", r#"["Café late"]"#), ("slow", "product", r#"["slow", "CAFE\u0301  late!"]"#)];
    refused(&with_rows(&rows), "routing.tables[0].rows[1].phrases[1]", "same as phrase 0 of row `late`");
    refused(
        &with_rows(&[("late", "delivery", r#"["late", "LATE"]"#)]),
        "routing.tables[0].rows[0].phrases[1]",
        "same",
    );
}

#[test]
fn a_phrase_that_holds_an_earlier_rows_phrase_can_never_be_hit_and_is_refused() {
    let dead = |earlier: &str, later: &str| {
        let rows = [
            ("first", "delivery", format!(r#"["{earlier}"]"#)),
            ("then", "product", format!(r#"["{later}"]"#)),
        ];
        let rows: Vec<(&str, &str, &str)> =
            rows.iter().map(|(id, to, phrases)| (*id, *to, phrases.as_str())).collect();
        with_rows(&rows)
    };
    for (earlier, later) in [
        ("late", "very late indeed"),
        ("too late", "much too late"),
        ("deliver*", "delivery man"),
        ("deliver*", "delivered*"),
    ] {
        refused(&dead(earlier, later), "routing.tables[0].rows[1].phrases[0]", "can never be hit");
    }
    for (earlier, later) in [
        ("late", "later"),
        ("late", "late*"),
        ("very late", "late"),
        ("delivered*", "deliver*"),
        ("too late", "too early"),
    ] {
        accepted(&dead(earlier, later));
    }
}

#[test]
fn a_longer_phrase_may_follow_a_shorter_one_of_the_same_row() {
    accepted(&with_rows(&[("late", "delivery", r#"["late", "very late"]"#)]));
}

#[test]
fn there_are_limits_on_tables_and_phrases() {
    let tables: String = (0..=TABLES_MAX)
        .map(|n| {
            let tag: String =
                [n / 26, n % 26].iter().map(|&n| char::from(b'a' + u8::try_from(n).unwrap())).collect();
            format!("[[routing.tables]]\nlanguage = \"x{tag}\"\nrule = \"A table.\"\nrows = []\n")
        })
        .collect();
    refused(&format!("{HEAD}{tables}"), "routing.tables", "33");
    let phrases: Vec<String> = (0..=PHRASES_MAX).map(|n| format!("\"p{n}\"")).collect();
    let row = format!("[{}]", phrases.join(","));
    refused(&with_rows(&[("late", "delivery", &row)]), "routing.tables[0].rows[0].phrases", "301");
}

#[test]
fn all_that_is_wrong_is_reported_at_once_in_the_documents_order_up_to_a_limit() {
    let toml = with_rows(&[("late", "nowhere", r#"["!"]"#)]).replace("Test policy", "");
    let paths: Vec<String> =
        Document::parse(&toml).unwrap_err().into_iter().map(|finding| finding.path).collect();
    assert_eq!(
        paths,
        ["title", "routing.tables[0].rows[0].department", "routing.tables[0].rows[0].phrases[0]"]
    );
    let many = format!("[{}]", vec!["\"!\""; FINDINGS_MAX + 50].join(","));
    let findings = Document::parse(&with_rows(&[("late", "delivery", &many)])).unwrap_err();
    assert_eq!(findings.len(), FINDINGS_MAX);
}
