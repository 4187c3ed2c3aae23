//! `seva inbox`: what waits in a department's inbox.

use std::process::ExitCode;

use seva_api::pb::common::v1::PageRequest;
use seva_api::pb::feedback::v1::{ListInboxRequest, Suggestion};

use crate::args::InboxArgs;
use crate::connect::{Home, MANAGER, PAGE_ROWS};
use crate::output::Table;
use crate::{json, output, show};

/// Prints a department's inbox, all pages of it.
pub(crate) async fn run(args: InboxArgs) -> anyhow::Result<ExitCode> {
    let home = Home::find(&args.target, MANAGER)?;
    let (suggestions, position) = read(&home, &args.department).await?;
    if args.json {
        let suggestions = json::list("seva.feedback.v1.Suggestion", &suggestions)?;
        let whole = serde_json::json!({"department": args.department, "suggestions": suggestions, "position": position});
        output::print_json(&whole)?;
    } else {
        output::print(&format!("{}: {} waiting, oldest first\n", args.department, suggestions.len()));
        output::print(&table(&suggestions).render());
    }
    Ok(ExitCode::SUCCESS)
}

/// All that waits in a department's inbox, and the position it stands at.
pub(crate) async fn read(home: &Home, department: &str) -> anyhow::Result<(Vec<Suggestion>, String)> {
    let mut feedback = home.feedback()?;
    let mut suggestions = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = Some(PageRequest { page_size: PAGE_ROWS, page_token });
        let request = ListInboxRequest { department: department.to_owned(), page, read: None };
        let answer = feedback.list_inbox(home.request(request)).await?.into_inner();
        suggestions.extend(answer.suggestions);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok((suggestions, answer.position));
        }
    }
}

fn table(suggestions: &[Suggestion]) -> Table {
    let mut table = Table::new(&["suggestion", "since", "in", "phase", "text"]);
    for suggestion in suggestions {
        let since = show::time(suggestion.captured_at.as_ref());
        table.row(vec![
            suggestion.suggestion_id.clone(),
            since.split(' ').next().unwrap_or_default().to_owned(),
            suggestion.language.clone(),
            show::phase(suggestion.phase()),
            show::text(suggestion.text.as_ref()).to_owned(),
        ]);
    }
    table
}
