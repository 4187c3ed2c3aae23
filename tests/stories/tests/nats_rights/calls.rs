//! The calls: everything that JetStream answers to, on every stream, in the ways that were found to leak, and listening.

use std::collections::BTreeMap;

use seva_domain::service::Service;
use seva_rights::Identity;

use crate::place::{KEY, STREAMS};

/// What is done with a subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    /// Publish, and wait for the answer.
    Ask,
    /// Publish; nobody answers.
    Tell,
    /// Subscribe.
    Listen,
}

/// One call, with places where an identity's name goes.
pub(crate) struct Call {
    pub(crate) deed: Deed,
    pub(crate) subject: String,
    pub(crate) body: String,
    /// What is special about it.
    note: &'static str,
}

impl Call {
    /// What it is called in the table.
    pub(crate) fn label(&self) -> String {
        let deed = match self.deed {
            Deed::Ask => "ask",
            Deed::Tell => "tell",
            Deed::Listen => "listen",
        };
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        format!("{deed} {}{note}", self.subject)
    }
}

fn ask(subject: impl Into<String>, body: impl Into<String>) -> Call {
    noted("", subject, body)
}

fn noted(note: &'static str, subject: impl Into<String>, body: impl Into<String>) -> Call {
    Call { deed: Deed::Ask, subject: subject.into(), body: body.into(), note }
}

fn tell(subject: impl Into<String>) -> Call {
    Call { deed: Deed::Tell, subject: subject.into(), body: String::new(), note: "" }
}

fn listen(subject: impl Into<String>) -> Call {
    Call { deed: Deed::Listen, subject: subject.into(), body: String::new(), note: "" }
}

/// All of them, in an order in which none undoes what another needs.
pub(crate) fn calls(configs: &BTreeMap<&'static str, String>) -> Vec<Call> {
    let mut calls = writing();
    for stream in STREAMS {
        calls.extend(on_stream(stream, &configs[stream]));
        calls.extend(on_consumers(stream));
    }
    calls.extend(on_the_server());
    calls.extend(listening());
    calls
}

/// Writing into the streams, and answers to others.
fn writing() -> Vec<Call> {
    let mut calls: Vec<Call> =
        Service::ALL.iter().map(|service| ask(format!("seva.log.{}.0", service.name()), "{}")).collect();
    calls.push(ask("seva.log.nobody.0", "{}"));
    for service in Service::ALL.map(Service::name).iter().chain([&"history"]) {
        calls.push(ask(format!("seva.audit.{service}"), "{}"));
    }
    calls.push(ask("seva.events.case.opened", "{}"));
    calls.push(ask("seva.key.{key}", "wrapped"));
    calls.push(noted("a key that is there", KEY, "another"));
    calls.push(noted("as if it were erased", KEY, ""));
    calls.push(ask("seva.keycheck", "check"));
    for identity in Identity::ALL {
        calls.push(tell(format!("_INBOX_{}.forged.answer", identity.name())));
    }
    calls
}

/// A stream as a whole, and its messages.
fn on_stream(stream: &str, config: &str) -> Vec<Call> {
    let api = |verb: &str| format!("$JS.API.{verb}.{stream}");
    let subject = match stream {
        "SEVA_LOG" => "seva.log.intake.0",
        "SEVA_EVENTS" => "seva.events.case.opened",
        "SEVA_AUDIT" => "seva.audit.intake",
        _ => KEY,
    };
    vec![
        ask(api("STREAM.INFO"), ""),
        ask(api("STREAM.CREATE"), config),
        ask(api("STREAM.UPDATE"), config),
        ask(api("STREAM.MSG.GET"), r#"{"seq": 1}"#),
        noted("the last of a subject", api("STREAM.MSG.GET"), format!(r#"{{"last_by_subj": "{subject}"}}"#)),
        ask(api("DIRECT.GET"), r#"{"seq": 1}"#),
        noted("of a subject", format!("{}.{subject}", api("DIRECT.GET")), ""),
        noted("many", api("DIRECT.GET"), r#"{"seq": 1, "batch": 2}"#),
        ask(api("STREAM.MSG.DELETE"), r#"{"seq": 2}"#),
        ask(api("STREAM.PURGE"), "{}"),
        ask(api("STREAM.DELETE"), ""),
        ask(api("STREAM.SNAPSHOT"), r#"{"deliver_subject": "_INBOX_{me}.snapshot"}"#),
        noted(
            "over one that is there",
            api("STREAM.RESTORE"),
            format!(r#"{{"config": {config}, "state": {{}}}}"#),
        ),
        ask(api("STREAM.LEADER.STEPDOWN"), ""),
        ask(api("STREAM.PEER.REMOVE"), r#"{"peer": "x"}"#),
        ask(api("CONSUMER.NAMES"), "{}"),
        ask(api("CONSUMER.LIST"), "{}"),
    ]
}

/// Consumers of a stream: one's own, another's, and all the ways to name more than one's own.
fn on_consumers(stream: &str) -> Vec<Call> {
    let api = |verb: &str, name: &str| format!("$JS.API.CONSUMER.{verb}.{stream}.{name}");
    let body = |name: &str, more: &str| {
        format!(
            r#"{{"stream_name": "{stream}", "config": {{"name": "{name}", "ack_policy": "none", "mem_storage": true,
                "inactive_threshold": 60000000000{more}}}}}"#
        )
    };
    let (filter, all) = match stream {
        "SEVA_LOG" => ("seva.log.intake.0", "seva.log.>"),
        "SEVA_EVENTS" => ("seva.events.case.>", "seva.events.>"),
        "SEVA_AUDIT" => ("seva.audit.intake", "seva.audit.>"),
        _ => (KEY, "seva.key.*"),
    };
    let filtered = |filter: &str| format!(r#", "filter_subject": "{filter}""#);
    let another = if stream == "SEVA_KEYS" { "SEVA_LOG" } else { "SEVA_KEYS" };
    let (own, pull) = ("{me}-0", r#"{"batch": 1, "no_wait": true}"#);
    let ack = |name: &str| format!("$JS.ACK.{stream}.{name}.1.1.1.1700000000000000000.0");
    vec![
        noted("all", api("CREATE", own), body(own, "")),
        noted("all, another name within", api("CREATE", own), body("victim", "")),
        noted("all, another stream within", api("CREATE", own), body(own, "").replace(stream, another)),
        noted("filtered", api("CREATE", &format!("{{me}}-1.{filter}")), body("{me}-1", &filtered(filter))),
        noted("all, by a filter", api("CREATE", &format!("{{me}}-2.{all}")), body("{me}-2", &filtered(all))),
        noted(
            "another filter within",
            api("CREATE", &format!("{{me}}-3.{filter}")),
            body("{me}-3", &filtered("seva.log.policy.0")),
        ),
        noted("no filter within", api("CREATE", &format!("{{me}}-3.{filter}")), body("{me}-3", "")),
        noted(
            "filters within",
            api("CREATE", &format!("{{me}}-3.{filter}")),
            body("{me}-3", r#", "filter_subjects": ["seva.log.policy.0", "seva.key.*"]"#),
        ),
        noted("of no name", format!("$JS.API.CONSUMER.CREATE.{stream}"), body("", "")),
        noted(
            "as of old",
            format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{{me}}-0"),
            body(own, r#", "durable_name": "{me}-0""#),
        ),
        noted("another one's", api("CREATE", "{other}-0"), body("{other}-0", "")),
        noted(
            "another one's, filtered",
            api("CREATE", &format!("{{other}}-0.{filter}")),
            body("{other}-0", &filtered(filter)),
        ),
        ask(api("CREATE", "victim"), body("victim", "")),
        noted("one more name", api("CREATE", "{me}-8"), body("{me}-8", "")),
        noted("a longer name", api("CREATE", "{me}-0x"), body("{me}-0x", "")),
        noted("a wildcard for the name", api("CREATE", "*"), body(own, "")),
        ask(api("INFO", own), ""),
        ask(api("INFO", "{me}-1"), ""),
        ask(api("INFO", "victim"), ""),
        ask(api("MSG.NEXT", own), pull),
        ask(api("MSG.NEXT", "{me}-1"), pull),
        ask(api("MSG.NEXT", "victim"), pull),
        ask(api("MSG.NEXT", "{other}-0"), pull),
        noted("a wildcard for the name", api("MSG.NEXT", "*"), pull),
        noted("a wildcard for the rest", api("MSG.NEXT", ">"), pull),
        tell(ack(own)),
        tell(ack("victim")),
        tell(ack("*")),
        tell(format!("$JS.ACK.{stream}.{{me}}-0.{}", ack("victim").trim_start_matches("$JS.ACK."))),
        ask(api("PAUSE", "victim"), r#"{"pause_until": "2099-01-01T00:00:00Z"}"#),
        ask(api("RESET", "victim"), r#"{"seq": 1}"#),
        ask(api("UNPIN", "victim"), r#"{"group": "x"}"#),
        ask(api("LEADER.STEPDOWN", "victim"), ""),
        ask(api("DELETE", "victim"), ""),
        ask(api("DELETE", "{other}-1"), ""),
        ask(api("DELETE", own), ""),
        ask(api("DELETE", "{me}-1"), ""),
    ]
}

/// What is no stream's: other streams, the account, the server.
fn on_the_server() -> Vec<Call> {
    vec![
        ask("$JS.API.INFO", ""),
        ask("$JS.API.STREAM.NAMES", "{}"),
        ask("$JS.API.STREAM.LIST", "{}"),
        noted(
            "a copy of the keys",
            "$JS.API.STREAM.CREATE.COPY",
            r#"{"name": "COPY", "mirror": {"name": "SEVA_KEYS"}}"#,
        ),
        noted("a wildcard for the stream", "$JS.API.STREAM.DELETE.*", ""),
        ask("$JS.API.META.LEADER.STEPDOWN", ""),
        ask("$JS.API.SERVER.REMOVE", r#"{"peer": "x"}"#),
        ask("$JS.API.ACCOUNT.PURGE.APP", ""),
        ask("$SYS.REQ.SERVER.PING", ""),
        ask("$SYS.REQ.ACCOUNT.APP.CONNZ", ""),
        ask("$SYS.REQ.USER.INFO", ""),
        tell("$SYS.SERVER.SHUTDOWN"),
    ]
}

/// Hearing what is not meant for one.
fn listening() -> Vec<Call> {
    let mut calls: Vec<Call> = [
        ">",
        "*",
        "*.>",
        "seva.>",
        "seva.log.>",
        "seva.log.intake.0",
        "seva.events.>",
        "seva.events.case.opened",
        "seva.key.*",
        "$JS.>",
        "$JS.API.>",
        "$JS.ACK.>",
        "$JS.EVENT.>",
        "$SYS.>",
        "_INBOX.>",
    ]
    .into_iter()
    .map(listen)
    .collect();
    for identity in Identity::ALL {
        calls.push(listen(format!("_INBOX_{}.>", identity.name())));
    }
    calls.push(listen("_INBOX_{me}.one.answer"));
    calls
}
