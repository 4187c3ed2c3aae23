//! The summary as text, at most 100 columns wide, and the commands to try next.

use std::path::Path;

use super::summary::{Inbox, ReadModel, Row, Summary};
use crate::output::{self, Table, clip_end, heading};

/// The summary as a page of text.
pub(crate) fn text(summary: &Summary) -> String {
    let parts = [
        inboxes(&summary.inboxes),
        open_cases(summary),
        story(summary),
        made_good(summary),
        log(summary),
        time(summary),
        next(&summary.next),
    ];
    parts.join("\n\n")
}

fn inboxes(inboxes: &[Inbox]) -> String {
    let mut table =
        Table::new(&["department", "waiting", "acknowledged", "adopted", "declined", "told"]).indented(2);
    for inbox in inboxes {
        let counts = [inbox.waiting, inbox.acknowledged, inbox.adopted, inbox.declined, inbox.customers_told];
        let cells = counts.iter().map(u64::to_string);
        table.row(std::iter::once(inbox.department.clone()).chain(cells).collect());
    }
    let mut text = format!("{}\n{}", heading("Suggestions by department"), table.render());
    for inbox in inboxes.iter().filter(|inbox| !inbox.top.is_empty()) {
        text.push_str(&format!("\n\n  In the inbox of {}:", inbox.department));
        for row in &inbox.top {
            text.push_str(&format!("\n{}", clip_end(&format!("    {:<2}  {}", row.language, row.text))));
        }
    }
    text
}

fn open_cases(summary: &Summary) -> String {
    let open = &summary.open_cases;
    let kinds: Vec<String> = open.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let title = format!("{} open cases ({}), the oldest:", open.total, kinds.join(", "));
    let mut table = Table::new(&["since", "kind", "in", "what was said first"]).indented(2);
    for Row { since, about, language, text, .. } in &open.oldest {
        table.row(vec![since.clone(), about.clone(), language.clone(), text.clone()]);
    }
    format!("{}\n{}", heading(&clip_end(&title)), table.render())
}

fn story(summary: &Summary) -> String {
    let story = &summary.story;
    let title = clip_end(&format!("The whole story of {} ({})", story.name, story.identities.join(", ")));
    format!("{}\n{}", heading(&title), story.lines.join("\n"))
}

fn made_good(summary: &Summary) -> String {
    format!("{}\n{}", heading("A charge that was too much, made good"), summary.made_good.join("\n"))
}

fn log(summary: &Summary) -> String {
    let log = &summary.log;
    let mut lines = vec![heading("Log and read models")];
    lines.push(clip_end(&format!("  log at {} (position {})", log.sequence, log.position)));
    lines.push(format!("  sync {}, policy version {}", log.durability, log.policy_version));
    let mut models = Table::new(&["service", "read model", "at"]).indented(2);
    for ReadModel { service, name, sequence } in &summary.read_models {
        models.row(vec![service.clone(), name.clone(), sequence.to_string()]);
    }
    lines.push(models.render());
    lines.join("\n")
}

fn time(summary: &Summary) -> String {
    let (took, played) = (&summary.seconds, &summary.played);
    let languages = played.languages.len();
    let what = format!("{} steps, {} texts in {languages} languages", played.steps, played.texts);
    let before = match played.recorded_before {
        0 => "all recorded now".to_owned(),
        before => format!("{before} recorded before"),
    };
    [
        heading(&format!("{:.1} s in all", took.total)),
        format!("  log started {:.1} s, services started {:.1} s", took.log_started, took.services_started),
        format!("  played {:.1} s ({what}, {before})", took.played),
        format!("  settled {:.1} s, read back {:.1} s", took.settled, took.read_back),
    ]
    .join("\n")
}

fn next(commands: &[String]) -> String {
    let mut text = heading("Try next, in another terminal");
    for command in commands {
        for line in command.lines() {
            text.push_str(&format!("\n  {line}"));
        }
    }
    text
}

/// What commands need to know to work as printed.
pub(crate) struct Printed<'a> {
    /// How this program is called here.
    pub(crate) program: String,
    /// The demo's folder.
    pub(crate) dir: &'a Path,
    /// Whether the folder is the one that other verbs fall back to.
    pub(crate) remembered: bool,
    /// Whether the services end now.
    pub(crate) ends: bool,
}

/// The commands to try next, each as it can be pasted.
pub(crate) fn commands(summary: &Summary, printed: &Printed<'_>) -> Vec<String> {
    let Printed { program, dir, remembered, ends } = printed;
    let dir = quoted(&dir.to_string_lossy());
    let at = if *remembered { String::new() } else { format!(" --at {dir}") };
    let fullest = summary.inboxes.iter().max_by_key(|inbox| inbox.waiting + inbox.acknowledged);
    let mut commands = Vec::new();
    if *ends {
        commands.push(format!("{program} demo --data {dir}"));
    }
    commands.push(format!("{program} status{at}"));
    commands.push(format!("{program} timeline {}{at}", summary.story.customer_id));
    if let Some(inbox) = fullest {
        commands.push(format!("{program} inbox {}{at}", inbox.department));
        if let Some(row) = inbox.top.first() {
            let json = format!("{{\"suggestion_id\": \"{}\"}}", row.id);
            commands.push(format!("{program} call feedback/GetSuggestion{at} \\\n  '{json}'"));
        }
    }
    commands.push(format!("{program} events tail --from-start --filter \"suggestion.>\"{at}"));
    let json = "'{\"request_id\": \"try-1\", \"channel\": \"CHANNEL_CHAT\", \"direction\": \"DIRECTION_INBOUND\",\n    \
                \"kind\": \"CASE_KIND_SUGGESTION\", \"text\": \"Please deliver on Sundays too.\"}'";
    commands.push(format!("{program} call intake/LogInteraction{at} \\\n  {json}"));
    commands
}

/// How this program was started, as another terminal in the same folder can start it.
pub(crate) fn program() -> String {
    if std::env::var_os("CARGO").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} --");
    }
    let called = std::env::args().next().filter(|name| !name.is_empty());
    called.map_or_else(|| "seva".to_owned(), |name| quoted(&name))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Says that the demo stays up, and how to end it.
pub(crate) fn stays(dir: &Path) {
    output::say(&format!("\nRunning on {}. Ctrl-C ends it.", dir.display()));
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
