//! Command lines in pages: found where a page shows them, and split into words as a shell does.

/// The words of a line; what stands in quotes is part of one word.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\n' => words.extend(word.take()),
            '\'' | '"' => {
                let quoted: String = chars.by_ref().take_while(|next| *next != c).collect();
                word.get_or_insert_default().push_str(&quoted);
            }
            '\\' => match chars.next() {
                // A line that goes on.
                Some('\n') | None => words.extend(word.take()),
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The words from the program's name on, if a line calls it: by itself, through cargo, or in a container.
pub(crate) fn call(line: &str) -> Option<Vec<String>> {
    let all = words(line.trim().trim_start_matches("$ "));
    let is_cargo = all.starts_with(&["cargo".to_owned(), "run".to_owned()]);
    let name = match is_cargo {
        true => all.iter().position(|word| word == "--")?,
        false => all.iter().position(|word| word == "seva" || word.ends_with("/seva"))?,
    };
    // What comes before has to be how one gets at the program, not a sentence or another program that is told of it.
    let before = &all[..name];
    let is_in_container =
        before.first().is_some_and(|word| word == "docker") && before.contains(&"exec".to_owned());
    if !is_cargo && !is_in_container && before.iter().any(|word| word != "sudo") {
        return None;
    }
    let end = all.iter().position(|word| ["&&", "|", ">", "#"].contains(&word.as_str())).unwrap_or(all.len());
    let mut call = vec!["seva".to_owned()];
    call.extend(all.get(name + 1..end)?.iter().cloned());
    (call.len() > 1).then_some(call)
}

/// The calls of the program that a page shows: in blocks of code, and between backticks.
pub(crate) fn calls(page: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(code) = line.strip_prefix("    ") else {
            found.extend(line.split('`').skip(1).step_by(2).filter_map(call));
            continue;
        };
        let mut code = code.to_owned();
        // A line goes on below after a backslash, or until its quotes are closed.
        while code.ends_with('\\') || code.matches('\'').count() % 2 == 1 {
            let Some(more) = lines.next() else { break };
            code = format!("{code}\n{more}");
        }
        found.extend(call(&code));
    }
    found
}

#[test]
fn words_are_split_as_a_shell_splits_them() {
    assert_eq!(words("a  'b c' \"d\"e \\\n f\\ g"), ["a", "b c", "de", "f g"]);
}

#[test]
fn calls_are_found_in_blocks_and_between_backticks() {
    let page = "Say `seva status` or `seva`, not `seva-actor`; seva is nice.\n\n    $ seva call a/B '{\"c\":\n        1}'\n    \
                systemctl start seva@intake\n    docker compose -f c.yaml exec intake seva status \\\n      --ready\n    cargo run --release -- demo\n";
    let found: Vec<String> = calls(page).iter().map(|words| words.join(" ")).collect();
    assert_eq!(
        found,
        ["seva status", "seva call a/B {\"c\":\n        1}", "seva status --ready", "seva demo"]
    );
}
