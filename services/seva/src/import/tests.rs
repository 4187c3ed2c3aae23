//! Whole files through maps: inputs written here and, where `SEVA_SAMPLE_DATA` names the folder of sample files, those files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use seva_api::pb::intake::v1::{Direction, LogInteractionRequest};

use super::call::Call;
use super::map::Map;
use super::read;
use super::reject::Reject;
use super::row::Ready;
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
    select(map, read::read(bytes, map).unwrap(), Vec::new(), "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// A row that is an interaction.
#[track_caller]
fn logged(ready: &Ready) -> &LogInteractionRequest {
    let Call::LogInteraction(request) = &ready.call else { panic!("no interaction: {ready:?}") };
    request
}

fn texts(selected: &Selected) -> Vec<&str> {
    selected.ready.iter().map(|ready| logged(ready).text.as_str()).collect()
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
        selected.ready.iter().map(|ready| logged(ready).request_id.clone()).collect::<Vec<_>>()
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
        select(&map, read::read(file, &map).unwrap(), Vec::new(), Timestamp::UNIX_EPOCH)
            .unwrap_err()
            .to_string()
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
        *kinds.entry(logged(ready).kind).or_insert(0) += 1;
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
        let rows = selected.ready.iter().filter(|ready| logged(ready).direction() == direction);
        rows.map(|ready| logged(ready).identities[0].value.as_str()).collect()
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
    assert!(selected.ready.iter().all(|ready| logged(ready).identities.is_empty()));
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

const STEPS: &str = r#"
    import_key = "steps"
    format = "csv"
    [[join]]
    name = "who"
    file = "who.csv"
    on = { buyer = "id" }
    where = [{ column = "kind", equals = "real" }]
    [group]
    by = ["order"]
    where = [{ column = "price", starts_with = "-" }]
    [[step]]
    name = "charge"
    rpc = { column = "kind", values = { paid = "register_charge", back = "record_refund" } }
    once = ["order"]
    [step.fields]
    reference = { template = "x/{order}" }
    method = { const = "cash" }
    payout = { template = "back/{order}" }
    order = { column = "who.name" }
    amount = { currency = { column = "coin" }, decimal = { column = "price" }, times = { column = "pieces" } }
    occurred_at = { column = "at", forms = ["iso"], zone = "UTC" }
"#;

/// Rows of at, kind, order, buyer, coin, price and pieces through `STEPS`.
fn stepped(map: &str, rows: &str) -> Selected {
    let map = Map::parse(map).unwrap();
    let table = |text: &str| read::read(text.as_bytes(), &map).unwrap();
    let who = table("id,kind,name\n7,false,nobody\n7,real,Asha\n7,real,second\n");
    let rows = format!("at,kind,order,buyer,coin,price,pieces\n{rows}");
    select(&map, table(&rows), vec![who], "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// What each row became, in a word.
fn told(selected: &Selected) -> Vec<String> {
    let tell = |ready: &Ready| match &ready.call {
        Call::RegisterCharge { request, .. } => {
            let captured = request.captured.clone().unwrap_or_default();
            format!(
                "charge {} {} {} {}",
                request.reference, captured.amount_minor, captured.currency, request.order
            )
        }
        Call::RecordRefund { reference, request } => {
            format!("refund {reference} {} {}", request.lines[0].amount_minor, request.currency)
        }
        other => format!("{other:?}"),
    };
    selected.ready.iter().map(tell).collect()
}

#[test]
fn a_row_becomes_what_its_value_says_with_columns_of_the_file_joined() {
    let rows = "2020-01-02,back,a,7,KWD,1.25,1\n2020-01-01,paid,b,7,JPY,300,2\n2020-01-03,gone,c,8,EUR,1,1\n";
    let selected = stepped(STEPS, rows);
    assert_eq!(told(&selected), ["charge x/b 600 JPY Asha", "refund x/a 1250 KWD"]);
    assert_eq!(blamed(&selected), [(4, "unknown_value", "rpc")]);
}

#[test]
fn only_the_first_in_time_takes_a_step_once() {
    let rows = "2020-01-02,paid,a,7,EUR,2,1\n2020-01-01,paid,a,7,EUR,1,1\n2020-01-01,paid,b,7,EUR,3,1\n";
    assert_eq!(told(&stepped(STEPS, rows)), ["charge x/a 100 EUR Asha", "charge x/b 300 EUR Asha"]);
}

#[test]
fn the_amounts_of_a_group_add_up_exactly_and_what_the_file_takes_away_can_be_turned_around() {
    let map =
        STEPS.replace("times = { column = \"pieces\" }", "times = { column = \"pieces\" }, negate = true");
    let rows = "2020-01-01,back,a,7,EUR,-0.1,1\n2020-01-01,back,b,7,EUR,-2,1\n2020-01-02,back,a,7,EUR,-0.20,1\n2020-01-02,back,a,7,EUR,-1.005,2\n";
    assert_eq!(told(&stepped(&map, rows)), ["refund x/a 231 EUR", "refund x/b 200 EUR"]);
    let wrong = "2020-01-01,back,a,7,EUR,-1,1\n2020-01-01,back,a,7,BRL,-1,1\n2020-01-01,back,b,7,EUR,-1.005,1\n2020-01-01,back,c,7,EUR,1,1\n2020-01-01,back,d,7,XXX,-1,1\n2020-01-01,back,e,7,EUR,-1,0.5\n";
    let selected = stepped(&map, wrong);
    let bad = "bad_amount";
    assert_eq!(
        blamed(&selected),
        [
            (2, bad, "amount"),
            (4, bad, "amount"),
            (5, bad, "amount"),
            (6, "unknown_value", "amount.currency"),
            (7, bad, "amount")
        ]
    );
}

#[test]
fn steps_name_their_rows_apart() {
    let rows = "2020-01-01,paid,a,7,EUR,1,1\n";
    let Call::RegisterCharge { request, .. } = &stepped(STEPS, rows).ready[0].call else {
        panic!("no charge")
    };
    assert!(request.request_id.ends_with("-1#charge"), "{}", request.request_id);
}

#[test]
fn a_step_that_is_wrong_says_where() {
    let with = |from: &str, to: &str| map_error(&STEPS.replace(from, to));
    let method = "    method = { const = \"cash\" }\n";
    assert!(with(method, "").contains("`step.charge.fields.method` is missing: register_charge needs it"));
    let idle = with(method, "    method = { const = \"cash\" }\n    rung = { const = \"x\" }\n");
    assert!(idle.contains("`step.charge.fields.rung` has no use"), "{idle}");
    assert!(with("\"cash\"", "\"shells\"").contains("`step.charge.fields.method` does not know `shells`"));
    assert!(with("\"record_refund\"", "\"pay\"").contains("`step.charge.rpc` does not know `pay`"));
    assert!(
        with(", values = { paid = \"register_charge\", back = \"record_refund\" }", "")
            .contains("needs a const")
    );
    assert!(with("[[step]]", "[fields]\noccurred_at = {}\n[[step]]").contains("cannot stand beside"));
    assert!(with("on = { buyer = \"id\" }", "on = {}").contains("`join.who` has nothing in `on`"));
    assert!(with("\"who.csv\"", "\"../who.csv\"").contains("without a path"));
    assert!(with("by = [\"order\"]", "by = []").contains("`group.by` names no column"));
}

/// A sample file with those that its shipped map joins.
fn joined_sample(map: &str, file: &str) -> Option<Selected> {
    let Some(folder) = std::env::var_os("SEVA_SAMPLE_DATA") else {
        crate::output::say("SKIPPED: SEVA_SAMPLE_DATA is not set");
        return None;
    };
    let map = shipped::find(map).unwrap();
    let table = |file: &str| {
        read::read(&std::fs::read(std::path::Path::new(&folder).join(file)).unwrap(), &map).unwrap()
    };
    let others = map.joins.iter().filter_map(|join| join.file.as_deref()).map(table).collect();
    Some(select(&map, table(file), others, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap())
}

/// How often each RPC is called, and the reasons of the rejects.
fn rpcs(selected: &Selected) -> (BTreeMap<&str, usize>, BTreeMap<&str, usize>) {
    let (mut rpcs, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    selected.ready.iter().for_each(|ready| *rpcs.entry(ready.call.rpc().name()).or_insert(0) += 1);
    selected.rejects.iter().for_each(|reject| *reasons.entry(reject.reason.name()).or_insert(0) += 1);
    (rpcs, reasons)
}

#[test]
fn olist_is_a_charge_an_order_with_what_was_cancelled_paid_back() {
    let Some(orders) = joined_sample("olist_orders", "olist_order_payments.csv") else { return };
    let expected = [("record_refund", 159), ("register_charge", 1_999), ("register_customer", 1_990)];
    // One cancelled order came to nothing: neither charged nor paid back.
    assert_eq!(rpcs(&orders), (expected.into(), [("bad_amount", 2)].into()));
    let Some(reviews) = joined_sample("olist_reviews", "olist_order_reviews.csv") else { return };
    assert_eq!(counts(&reviews), (2_022, 0, 0));
}

#[test]
fn uci_is_a_charge_an_invoice_and_a_refund_a_credit_line_whose_sale_the_file_has() {
    let Some(selected) = joined_sample("uci_retail", "uci_online_retail_2010-12-01_to_06.csv") else {
        return;
    };
    let expected = [("record_refund", 43), ("register_charge", 527)];
    // 58 invoices come to nothing; 106 credit lines name nobody, or what was never sold.
    assert_eq!(rpcs(&selected), (expected.into(), [("bad_amount", 58), ("empty", 106)].into()));
}

#[test]
fn telecom_nps_takes_every_answer_by_its_class() {
    let Some(selected) = joined_sample("telecom_nps", "telecom_nps_responses_2018.csv") else { return };
    assert_eq!(counts(&selected), (2_385, 0, 0));
    // Complaints, suggestions, other.
    assert_eq!(kinds(&selected), [(2, 1_271), (3, 392), (6, 722)]);
}

#[test]
fn support_tickets_come_in_by_their_type_and_closed_ones_are_resolved() {
    let Some(selected) = joined_sample("support_tickets", "support_tickets_csat_3k.csv") else { return };
    let expected = [("log_interaction", 3_000), ("resolve_case", 967)];
    assert_eq!(rpcs(&selected), (expected.into(), BTreeMap::new()));
}

#[test]
fn the_help_desk_has_every_event_and_one_escalation_a_case() {
    let Some(selected) = joined_sample("helpdesk_italian", "helpdesk_italian_events_10k.csv") else { return };
    let (rpcs, reasons) = rpcs(&selected);
    assert_eq!((rpcs["log_interaction"], rpcs["raise_escalation"]), (9_999, 2_137));
    assert_eq!((selected.repeats, reasons), (0, BTreeMap::new()));
}
