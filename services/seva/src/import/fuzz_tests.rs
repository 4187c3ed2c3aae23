//! Maps and files that are nearly right: what is taken of them is fit to be sent, and the rest is told.

use jiff::Timestamp;
use seva_api::intake::Logging;
use seva_domain::values::At;
use seva_support::{Edit, edited};

use super::call::Call;
use super::map::Map;
use super::select::select;
use super::{read, shipped};

const NOW: &str = "2026-01-01T00:00:00Z";

const MAP: &str = r#"
    import_key = "nearly"
    format = "FORMAT"
    quoting = QUOTING
    [fields]
    text = { column = "text" }
    kind = { column = "kind" }
    channel = { const = "web" }
    direction = { const = "inbound" }
    occurred_at = { column = "at", forms = ["iso"], zone = "UTC" }
"#;

const CSV: &str = "at,kind,text\r\n2020-01-01,other,\"one\r\ntwo, \"\"three\"\"\"\r\n2020-01-02 10:30,other, four \r\n\r\n2020-01-03,complaint,मसालदान\r\n";
const TSV: &str = "at\tkind\ttext\n2020-01-01\tother\tone \"two\"\n2020-01-02T10:30:00Z\tenquiry\tthree\n";
const JSON_LINES: &str = "{\"at\":\"2020-01-01\",\"kind\":\"other\",\"text\":\"one\"}\n{\"at\":\"2020-01-02\",\"kind\":\"refund\",\"text\":\"two\",\"n\":[1,{\"a\":null}]}\n";

/// A file that the map of its format takes whole.
const FILES: [(&str, &str, &str); 5] = [
    ("csv", "true", CSV),
    ("csv", "false", CSV),
    ("tsv", "true", TSV),
    ("tsv", "false", TSV),
    ("jsonl", "true", JSON_LINES),
];

fn map(format: &str, quoting: &str) -> Map {
    let quoting = if format == "jsonl" { String::new() } else { format!("quoting = {quoting}") };
    Map::parse(&MAP.replace("FORMAT", format).replace("quoting = QUOTING", &quoting)).unwrap()
}

/// Reads a file by a map. Whatever becomes of its rows, each is counted once.
fn import(map: &Map, bytes: &[u8]) {
    let now: Timestamp = NOW.parse().unwrap();
    let Ok(table) = read::read(bytes, map) else { return };
    let Ok(selected) = select(map, table, Vec::new(), now) else { return };
    let told = selected.left_out + selected.repeats + (selected.ready.len() + selected.rejects.len()) as u64;
    if map.group.is_none() && map.steps.len() == 1 {
        assert_eq!(selected.read, told);
    }
    for ready in &selected.ready {
        if let Call::LogInteraction(request) = &ready.call {
            let parsed = Logging::parse_row(request, At(now.as_microsecond()));
            assert!(parsed.is_ok(), "what is sent is refused: {:?}: {request:?}", parsed.err());
        }
    }
}

#[test]
fn a_damaged_file_gives_rows_that_are_fit_and_rejects() {
    bolero::check!().with_type::<(u8, Vec<Edit>)>().for_each(|(which, edits)| {
        let (format, quoting, file) = FILES[usize::from(*which) % FILES.len()];
        import(&map(format, quoting), &edited(file.as_bytes(), edits));
    });
}

#[test]
fn any_bytes_are_a_file_or_none() {
    bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(which, bytes)| {
        let (format, quoting, _) = FILES[usize::from(*which) % FILES.len()];
        import(&map(format, quoting), bytes);
    });
}

#[test]
fn a_map_with_mistakes_is_refused_or_reads_files() {
    bolero::check!().with_type::<(u8, Vec<Edit>)>().for_each(|(which, edits)| {
        let (_, text) = shipped::SHIPPED[usize::from(*which) % shipped::SHIPPED.len()];
        if let Ok(map) = Map::parse(&String::from_utf8_lossy(&edited(text.as_bytes(), edits))) {
            import(&map, CSV.as_bytes());
        }
        let (format, quoting, file) = FILES[usize::from(*which) % FILES.len()];
        let text = MAP.replace("FORMAT", format).replace("QUOTING", quoting);
        if let Ok(map) = Map::parse(&String::from_utf8_lossy(&edited(text.as_bytes(), edits))) {
            import(&map, file.as_bytes());
        }
    });
}
