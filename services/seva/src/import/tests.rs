//! Whole files through maps: inputs written here and, where `SEVA_SAMPLE_DATA` names the folder of sample files, those files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use seva_api::pb::intake::v1::Direction;

use super::map::Map;
use super::read;
use super::reject::Reject;
use super::select::{Selected, select};
use super::shipped;

const PLAIN: &str = r#"
    import_key = "plain"
    format = "csv"
    [fields]
    text = { column = "text" }
    kind = { column = "kind" }
    channel = { const = "web" }
    direction = { const = "inbound" }
    occurred_at = { column = "at", forms = ["iso"], zone = "UTC" }
"#;

/// A map like `PLAIN` with lines of its own before the fields.
fn plain(above: &str) -> Map {
    Map::parse(&PLAIN.replace("    [fields]", &format!("{above}\n[fields]"))).unwrap()
}

fn selected(map: &Map, bytes: &[u8]) -> Selected {
    select(map, read::read(bytes, map).unwrap(), "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

fn texts(selected: &Selected) -> Vec<&str> {
    selected.ready.iter().map(|ready| ready.request.text.as_str()).collect()
}

/// Line, reason and field of each reject.
fn blamed(selected: &Selected) -> Vec<(u64, &str, &str)> {
    selected
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.reason.name(), reject.field.as_deref().unwrap_or("")))
        .collect()
}

#[track_caller]
fn map_error(text: &str) -> String {
    Map::parse(text).unwrap_err().to_string()
}

#[test]
fn quoted_line_ends_stay_in_their_field_and_lines_are_counted() {
    let file = "\u{feff}at,kind,text\r\n2020-01-01,other,\"one\r\ntwo, \"\"three\"\"\"\r\n2020-01-02,other, four \r\n2020-01-03,other,x,y\r\n\r\n";
    let selected = selected(&plain(""), file.as_bytes());
    assert_eq!(texts(&selected), ["one\r\ntwo, \"three\"", "four"]);
    assert_eq!(selected.ready[1].line, 4);
    assert_eq!(blamed(&selected), [(5, "ragged", "")]);
    assert_eq!(selected.rejects[0].message, "has 4 columns where the header has 3");
    assert_eq!(selected.read, 3, "blank lines at the end are nothing");
}

#[test]
fn a_record_broken_by_raw_line_ends_shifts_nothing() {
    for end in ["\n", "\r", "\r\n"] {
        let lines =
            ["at,kind,text", "2020-01-01,other,a", "2020-01-02,oth", "", "er,b", "2020-01-03,other,c", ""];
        let selected = selected(&plain(""), lines.join(end).as_bytes());
        assert_eq!(texts(&selected), ["a", "c"]);
        let reasons: Vec<_> = blamed(&selected).iter().map(|(_, reason, _)| *reason).collect();
        assert_eq!(reasons, ["ragged", "blank_line", "ragged"]);
        if end.contains('\n') {
            assert_eq!(selected.rejects.iter().map(|reject| reject.line).collect::<Vec<_>>(), [3, 4, 5]);
        }
    }
}

#[test]
fn bad_utf_8_is_rejected_with_its_column() {
    let selected = selected(&plain(""), b"at,kind,text\n2020-01-01,other,\xff\xfe\n2020-01-02,other,fine\n");
    assert_eq!(blamed(&selected), [(2, "not_utf8", "text")]);
    assert_eq!(texts(&selected), ["fine"]);
}

#[test]
fn a_quote_that_nothing_closes_is_rejected_where_it_opens() {
    let selected = selected(
        &plain(""),
        b"at,kind,text\n2020-01-01,other,fine\n2020-01-02,other,\"open\n2020-01-03,other,lost\n",
    );
    assert_eq!(texts(&selected), ["fine"]);
    assert_eq!(blamed(&selected), [(3, "ragged", "")]);
    assert!(selected.rejects[0].message.contains("never closes"));
}

#[test]
fn tabs_without_quoting_leave_quotes_alone() {
    let map = Map::parse(&PLAIN.replace("\"csv\"", "\"tsv\"")).unwrap();
    let selected = selected(
        &map,
        b"at\tkind\ttext\r\n2020-01-01\tother\t\"so\r\n2020-01-02\tother\n2020-01-03\tother\t5\" wide",
    );
    assert_eq!(texts(&selected), ["\"so", "5\" wide"]);
    assert_eq!(blamed(&selected), [(3, "ragged", "")]);
}

#[test]
fn json_lines_may_leave_columns_out_and_keep_numbers_as_written() {
    let map = Map::parse(
        &PLAIN
            .replace("\"csv\"", "\"jsonl\"")
            .replace("{ column = \"text\" }", "{ template = \"{text} {n}\" }"),
    )
    .unwrap();
    let file = "{\"at\":\"2020-01-01\",\"kind\":\"other\",\"text\":\"a\\nb\",\"n\":1.50}\nnot json\n\n{\"text\":\"c\",\"n\":2,\"at\":null}\n[1]\n{\"kind\":\"other\",\"at\":\"2020-01-01\",\"text\":\"d\"}\n";
    let selected = selected(&map, file.as_bytes());
    assert_eq!(texts(&selected), ["a\nb 1.50"]);
    assert_eq!(
        blamed(&selected),
        [
            (2, "not_json", ""),
            (3, "blank_line", ""),
            (4, "bad_time", "occurred_at"),
            (5, "not_json", ""),
            (6, "empty", "text")
        ]
    );
}

#[test]
fn every_tenth_row_of_ten_thousand_broken_leaves_nine_thousand() {
    let mut file = String::from("at,kind,text\n");
    for row in 1..=10_000 {
        file.push_str(match row {
            row if row % 10 != 0 => "2020-01-01,other,fine\n",
            row if row % 40 == 0 => "2020-13-01,other,month thirteen\n",
            row if row % 40 == 10 => "2020-01-01,gripe,unknown\n",
            row if row % 40 == 20 => "2020-01-01,other,  \n",
            _ => "9999-01-01,other,far\n",
        });
    }
    let selected = selected(&plain(""), file.as_bytes());
    assert_eq!((selected.read, selected.ready.len(), selected.rejects.len()), (10_000, 9_000, 1_000));
    let mut reasons = BTreeMap::new();
    for (number, reject) in selected.rejects.iter().enumerate() {
        assert_eq!(reject.line, number as u64 * 10 + 11);
        *reasons.entry((reject.reason.name(), reject.field.as_deref().unwrap())).or_insert(0) += 1;
    }
    let expected = [
        ("bad_time", "occurred_at"),
        ("empty", "text"),
        ("time_out_of_range", "occurred_at"),
        ("unknown_value", "kind"),
    ];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expected.map(|reason| (reason, 250)));
}

#[test]
fn far_dates_and_long_texts_are_refused_and_rejects_quote_nothing() {
    let file = format!(
        "at,kind,text\n1969-12-31,other,secret\n2026-01-01T00:05:01Z,other,secret\n2026-01-01T00:05:00Z,other,ok\n2020-01-01,other,{}\nsecret,secret,secret\n",
        "é".repeat(20_001)
    );
    let selected = selected(&plain(""), file.as_bytes());
    assert_eq!(texts(&selected), ["ok"]);
    let range = "time_out_of_range";
    assert_eq!(
        blamed(&selected),
        [
            (2, range, "occurred_at"),
            (3, range, "occurred_at"),
            (5, "too_long", "text"),
            (6, "bad_time", "occurred_at")
        ]
    );
    let lines = super::reject::json_lines(&selected.rejects).unwrap();
    assert!(!lines.contains("secret") && !lines.contains('é'));
    assert_eq!(
        lines.lines().next().unwrap(),
        r#"{"line":2,"reason":"time_out_of_range","field":"occurred_at","message":"is before 1970"}"#
    );
}

#[test]
fn rows_go_in_order_of_time_with_ties_as_in_the_file() {
    let file =
        b"at,kind,text\n2020-01-02,other,c\n2020-01-01,other,a\n2020-01-02,other,d\n2020-01-01,other,b\n";
    assert_eq!(texts(&selected(&plain(""), file)), ["a", "b", "c", "d"]);
    assert_eq!(texts(&selected(&plain("order_by = \"file\""), file)), ["c", "a", "d", "b"]);
}

#[test]
fn keys_tell_repeats_from_equal_rows() {
    let file = b"at,kind,text\n2020-01-01,other,a\n2020-01-01,other,a\n2020-01-01,other,b\n";
    let keys = |selected: &Selected| {
        selected.ready.iter().map(|ready| ready.request.request_id.clone()).collect::<Vec<_>>()
    };

    let each = selected(&plain(""), file);
    assert_eq!((each.ready.len(), each.repeats), (3, 0));
    assert!(keys(&each)[0].ends_with("-1") && keys(&each)[1].ends_with("-2"));
    assert_eq!(keys(&each), keys(&selected(&plain(""), file)), "the same file gives the same keys");

    let content = selected(&plain("key = \"content\""), file);
    assert_eq!((content.ready.len(), content.repeats), (2, 1));

    let column = selected(&plain("key = [\"at\"]"), file);
    assert_eq!((keys(&column), column.repeats), (vec!["2020-01-01".to_owned()], 1));
    assert_eq!(blamed(&column), [(4, "key_used_twice", "key")]);

    let long = format!("at,kind,text\n2020-01-01,other,{}\n", "x".repeat(129));
    assert_eq!(keys(&selected(&plain("key = [\"text\"]"), long.as_bytes()))[0].len(), 64);
    assert_eq!(keys(&selected(&plain("key = [\"at\", \"kind\"]"), file))[0], "2020-01-01/other");
}

#[test]
fn what_is_required_rejects_and_what_is_not_wanted_is_left_out() {
    let map = plain(
        "[[require]]\ncolumn = \"text\"\ninteger = true\n[[where]]\ncolumn = \"kind\"\nequals = \"other\"",
    );
    let selected =
        selected(&map, b"at,kind,text\n2020-01-01,other,1\n2020-01-01,draft,2\n2020-01-01,draft,x\n");
    assert_eq!((texts(&selected), selected.left_out), (vec!["1"], 1));
    assert_eq!(blamed(&selected), [(4, "requirement_failed", "text")]);
}

#[test]
fn a_map_that_is_wrong_says_where() {
    let with = |from: &str, to: &str| map_error(&PLAIN.replace(from, to));
    assert!(map_error("import_key = 1").contains("line 1"));
    assert!(with("\"plain\"", "\"Plain\"").contains("`import_key` should be"));
    assert!(with("\"web\"", "\"fax\"").contains("`fields.channel` does not know `fax`"));
    assert!(with("\"web\"", "\"unspecified\"").contains("`fields.channel` does not know"));
    assert!(
        with("{ column = \"kind\" }", "{ column = \"kind\", values = { a = \"gripe\" } }")
            .contains("does not know `gripe`")
    );
    assert!(
        with("{ column = \"kind\" }", "{ column = \"kind\", const = \"other\" }")
            .contains("exactly one of const")
    );
    assert!(with("{ column = \"text\" }", "{ template = \"{text\" }").contains("nothing closes"));
    assert!(with("[fields]", "rows = 3\n[fields]").contains("rows"));
    assert!(
        with("[fields]", "rpc = { const = \"submit_refund\" }\n[fields]")
            .contains("`rpc` does not know `submit_refund`")
    );
    assert!(with("[fields]", "key = 3\n[fields]").contains("list of columns"));
    assert!(with("[fields]", "[[where]]\ncolumn = \"at\"\n[fields]").contains("exactly one of equals"));
}

#[test]
fn a_map_that_does_not_fit_the_file_names_the_column() {
    let select = |file: &[u8]| {
        let map = plain("");
        select(&map, read::read(file, &map).unwrap(), Timestamp::UNIX_EPOCH).unwrap_err().to_string()
    };
    let absent = select(b"at,what,text\n");
    assert!(
        absent.contains("`fields.kind` uses the column `kind`") && absent.contains("`at`, `what`, `text`"),
        "{absent}"
    );
    assert!(select(b"at,kind,kind,text\n").contains("twice"));
    assert!(read::read(b"", &plain("")).unwrap_err().to_string().contains("no header"));
    assert!(read::read(b"\xff\xfea\0", &plain("")).unwrap_err().to_string().contains("UTF-16"));
}

#[test]
fn every_shipped_map_is_well_formed() {
    for (name, _) in shipped::SHIPPED {
        assert_eq!(shipped::find(name).unwrap().import_key, name);
    }
    assert!(shipped::find("no such").unwrap_err().to_string().contains("turkish_reviews"));
}

/// A sample file through its shipped map; `None`, and said so, where there are no sample files.
fn sample(map: &str, file: &str) -> Option<Selected> {
    let Some(folder) = std::env::var_os("SEVA_SAMPLE_DATA") else {
        // Not eprintln, which the test harness keeps to itself.
        crate::output::say("SKIPPED: SEVA_SAMPLE_DATA is not set");
        return None;
    };
    let bytes = std::fs::read(std::path::Path::new(&folder).join(file)).unwrap();
    Some(selected(&shipped::find(map).unwrap(), &bytes))
}

/// Sent, repeats, rejected.
fn counts(selected: &Selected) -> (usize, u64, usize) {
    (selected.ready.len(), selected.repeats, selected.rejects.len())
}

fn kinds(selected: &Selected) -> Vec<(i32, usize)> {
    let mut kinds = BTreeMap::new();
    for ready in &selected.ready {
        *kinds.entry(ready.request.kind).or_insert(0) += 1;
    }
    kinds.into_iter().collect()
}

#[test]
fn twcs_takes_every_tweet_but_the_broken_one() {
    let Some(selected) = sample("twcs", "twcs_tweets_5k.csv") else { return };
    assert_eq!(counts(&selected), (4_999, 0, 3));
    let reasons: Vec<_> = selected.rejects.iter().map(|reject: &Reject| reject.reason.name()).collect();
    assert_eq!(reasons, ["ragged", "blank_line", "ragged"]);
    let customers = |direction: Direction| -> BTreeSet<&str> {
        let rows = selected.ready.iter().filter(|ready| ready.request.direction() == direction);
        rows.map(|ready| ready.request.identities[0].value.as_str()).collect()
    };
    let (wrote, answered) = (customers(Direction::Inbound), customers(Direction::Outbound));
    assert_eq!(wrote.len(), 1_442);
    // Two whose own tweets the file does not have: they are answered by number. Nobody is unknown.
    assert_eq!(answered.difference(&wrote).count(), 2);
    assert!(answered.iter().all(|customer| !customer.contains("unknown")));
    assert!(selected.ready.is_sorted_by_key(|ready| ready.occurred_at));
}

#[test]
fn cfpb_takes_every_complaint() {
    let Some(selected) = sample("cfpb", "cfpb_complaints_2023.csv") else { return };
    assert_eq!(counts(&selected), (1_400, 0, 0));
    assert!(selected.ready.iter().all(|ready| ready.request.identities.is_empty()));
}

#[test]
fn bitext_rejects_the_records_quoted_as_a_whole() {
    let Some(selected) = sample("bitext", "bitext_support_intents_8k.csv") else { return };
    assert_eq!(counts(&selected), (8_096, 0, 87));
    // Enquiries, complaints, suggestions, refunds.
    assert_eq!(kinds(&selected), [(1, 6_586), (2, 292), (3, 315), (4, 903)]);
}

#[test]
fn nhs_feedback_takes_every_answer() {
    let Some(selected) = sample("nhs_feedback", "nhs_feedback_phase1_5k.csv") else { return };
    assert_eq!(counts(&selected), (5_000, 0, 0));
    // Complaints, suggestions, other.
    assert_eq!(kinds(&selected), [(2, 691), (3, 411), (6, 3_898)]);
}

#[test]
fn hindi_and_bengali_reviews_are_taken_whole() {
    let Some(hindi) = sample("hindi_reviews", "hindi_product_reviews_2500.tsv") else { return };
    assert_eq!(counts(&hindi), (2_500, 0, 0));
    assert_eq!(kinds(&hindi), [(2, 376), (3, 95), (6, 2_029)]);
    let Some(bengali) = sample("bengali_reviews", "bengali_restaurant_reviews.tsv") else { return };
    assert_eq!(counts(&bengali), (1_365, 0, 0));
    assert_eq!(kinds(&bengali), [(2, 326), (6, 1_039)]);
}

#[test]
fn turkish_reviews_that_repeat_are_one() {
    let Some(selected) = sample("turkish_reviews", "turkish_amazon_reviews.csv") else { return };
    assert_eq!(counts(&selected), (695, 311, 0));
}
