//! What every gRPC contract looks like.

use std::collections::BTreeSet;

use crate::house::{Source, files};

/// An RPC as its file declares it.
struct Rpc {
    name: String,
    /// The comment right above it, on one line.
    comment: String,
    request: String,
    response: String,
}

/// A message or an enum: its name, and its lines without comments.
struct Block {
    name: String,
    lines: Vec<String>,
}

fn contracts() -> Vec<Source> {
    let contracts = files("proto", ".proto");
    assert!(contracts.len() >= 5, "the contracts were not found");
    contracts
}

fn rpcs(contract: &Source) -> Vec<Rpc> {
    let mut comment = Vec::new();
    let mut found = Vec::new();
    for line in contract.text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("//") {
            comment.push(said.trim());
            continue;
        }
        if let Some(rpc) = line.strip_prefix("rpc ") {
            let parts: Vec<&str> = rpc.split(['(', ')', ' ', ';']).filter(|part| !part.is_empty()).collect();
            let types: Vec<&str> =
                parts[1..].iter().copied().filter(|part| !["returns", "stream"].contains(part)).collect();
            found.push(Rpc {
                name: parts[0].to_owned(),
                comment: comment.join(" "),
                request: types[0].to_owned(),
                response: types[1].to_owned(),
            });
        }
        comment.clear();
    }
    found
}

/// The blocks of this kind, `message` or `enum`, at the top of a file.
fn blocks(contract: &Source, kind: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in contract.text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if let Some(declared) = line.strip_prefix(kind).filter(|rest| rest.starts_with(' ')) {
            let name = declared.split(['{', ' ']).find(|part| !part.is_empty()).unwrap().to_owned();
            found.push(Block { name, lines: Vec::new() });
            is_inside = !line.ends_with("{}");
        } else if line == "}" {
            is_inside = false;
        } else if is_inside {
            found.last_mut().unwrap().lines.push(line.trim().to_owned());
        }
    }
    found
}

#[test]
fn a_package_is_its_folder_and_ends_in_a_version() {
    for contract in contracts() {
        let package = contract.text.lines().find_map(|line| line.strip_prefix("package ")).unwrap();
        let folder = contract.path.trim_start_matches("proto/").rsplit_once('/').unwrap().0;
        assert_eq!(package.trim_end_matches(';').replace('.', "/"), folder, "{}", contract.path);
        let version = folder.rsplit('/').next().unwrap();
        assert!(
            version.strip_prefix('v').is_some_and(|number| number.parse::<u8>().is_ok()),
            "{}",
            contract.path
        );
    }
}

#[test]
fn a_service_says_so_in_its_name_and_what_it_is_for_above_it() {
    for contract in contracts() {
        let lines: Vec<&str> = contract.text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with("service ")) {
            assert!(pair[1].ends_with("Service {"), "{}: {}", contract.path, pair[1]);
            assert!(pair[0].starts_with("//"), "{}: {}", contract.path, pair[1]);
        }
    }
}

#[test]
fn every_rpc_says_what_it_does_and_has_messages_of_its_own() {
    let mut messages = BTreeSet::new();
    for contract in contracts() {
        for Rpc { name, comment, request, response } in rpcs(&contract) {
            assert!(comment.ends_with('.'), "{name} has no comment that is a sentence: {comment:?}");
            assert_eq!(
                (request.as_str(), response.as_str()),
                (&*format!("{name}Request"), &*format!("{name}Response"))
            );
            let is_first = messages.insert((contract.path.clone(), request.clone()));
            assert!(is_first, "{request} is shared");
        }
    }
    assert!(messages.len() > 20, "the RPCs were not found");
}

/// Whether an RPC changes nothing: it gets or lists, or says that it emits nothing.
fn is_read(rpc: &Rpc) -> bool {
    rpc.name.starts_with("Get") || rpc.name.starts_with("List") || rpc.comment.contains("Emits nothing.")
}

/// Streams whose first message is no request of its own.
const STREAMS: &[&str] = &[
    // Each row is a LogInteractionRequest with an id of its own; the import's key names the whole.
    "ImportInteractions",
];

#[test]
fn every_write_says_what_it_emits_and_can_be_sent_again_under_its_request_id() {
    for contract in contracts() {
        let messages = blocks(&contract, "message");
        for rpc in rpcs(&contract).iter().filter(|rpc| !STREAMS.contains(&rpc.name.as_str())) {
            let request = messages.iter().find(|message| message.name == rpc.request).unwrap();
            let has_id = request.lines.iter().any(|line| line == "string request_id = 1;");
            assert_eq!(has_id, !is_read(rpc), "{}", rpc.name);
            assert!(
                is_read(rpc) || rpc.comment.contains("Emits "),
                "{} does not say what it emits",
                rpc.name
            );
        }
    }
}

#[test]
fn every_write_answers_with_the_position_to_read_at() {
    for contract in contracts() {
        let messages = blocks(&contract, "message");
        let writes = rpcs(&contract).into_iter().filter(|rpc| !is_read(rpc));
        for rpc in writes.filter(|rpc| !STREAMS.contains(&rpc.name.as_str())) {
            let response = messages.iter().find(|message| message.name == rpc.response).unwrap();
            assert!(response.lines.iter().any(|line| line.starts_with("string position = ")), "{}", rpc.name);
        }
    }
}

#[test]
fn the_first_value_of_every_enum_says_that_nobody_said() {
    let mut count = 0;
    for contract in contracts() {
        for Block { name, lines } in blocks(&contract, "enum") {
            count += 1;
            let prefix: String = name
                .char_indices()
                .flat_map(|(at, c)| {
                    (at > 0 && c.is_uppercase()).then_some('_').into_iter().chain([c.to_ascii_uppercase()])
                })
                .collect();
            assert_eq!(lines[0], format!("{prefix}_UNSPECIFIED = 0;"), "{name}");
            assert!(lines.iter().all(|line| line.starts_with(&format!("{prefix}_"))), "{name}: {lines:?}");
        }
    }
    assert!(count >= 5, "the enums were not found");
}
