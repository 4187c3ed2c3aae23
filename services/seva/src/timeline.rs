//! `seva timeline`: all that happened with one customer.

use std::process::ExitCode;

use seva_api::pb::common::v1::PageRequest;
use seva_api::pb::intake::v1::{GetTimelineRequest, IdentifyCustomerRequest, TimelineEntry};

use crate::args::TimelineArgs;
use crate::connect::{Home, MANAGER, PAGE_ROWS};
use crate::output::Table;
use crate::{failure, identity, json, output, show};

/// Prints a customer's timeline, all pages of it.
pub(crate) async fn run(args: TimelineArgs) -> anyhow::Result<ExitCode> {
    let home = Home::find(&args.target, MANAGER)?;
    let customer_id = customer(&home, &args.customer).await?;
    let (entries, position) = read(&home, &customer_id).await?;
    if args.json {
        let entries = json::list("seva.intake.v1.TimelineEntry", &entries)?;
        let whole = serde_json::json!({"customer_id": customer_id, "entries": entries, "position": position});
        output::print_json(&whole)?;
    } else {
        output::print(&format!("{customer_id}, {} entries, times in UTC\n", entries.len()));
        output::print(&table(&entries).render());
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of a customer named by id or identity.
pub(crate) async fn customer(home: &Home, named: &str) -> anyhow::Result<String> {
    if named.starts_with("cus_") {
        return Ok(named.to_owned());
    }
    let request = IdentifyCustomerRequest { identities: vec![identity::parse(named)?], read: None };
    let answer = home.intake()?.identify_customer(home.request(request)).await?.into_inner();
    match (answer.customer_id.as_str(), answer.candidate_ids.as_slice()) {
        ("", []) => Err(failure::not_found(format!("nobody is known by {named}"))),
        ("", several) => {
            Err(failure::not_found(format!("several customers are known by {named}: {}", several.join(", "))))
        }
        _ => Ok(answer.customer_id),
    }
}

/// All entries of a customer's timeline, and the position they stand at.
pub(crate) async fn read(home: &Home, customer_id: &str) -> anyhow::Result<(Vec<TimelineEntry>, String)> {
    let mut intake = home.intake()?;
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = Some(PageRequest { page_size: PAGE_ROWS, page_token });
        let request = GetTimelineRequest { customer_id: customer_id.to_owned(), page, read: None };
        let answer = intake.get_timeline(home.request(request)).await?.into_inner();
        entries.extend(answer.entries);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok((entries, answer.position));
        }
    }
}

fn table(entries: &[TimelineEntry]) -> Table {
    let mut table = Table::new(&["when", "way", "what", "text"]);
    for entry in entries {
        let (way, what, text) = show::entry(entry);
        table.row(vec![show::time(entry.occurred_at.as_ref()), way, what, text.to_owned()]);
    }
    table
}
