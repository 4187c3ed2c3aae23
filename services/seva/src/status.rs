//! `seva status`: how far each running service is.

use std::process::ExitCode;

use serde_json::{Value, json};
use seva_api::pb::operations::v1::{GetStatusRequest, GetStatusResponse};
use tonic::Status;

use crate::args::StatusArgs;
use crate::connect::{Home, OPERATOR};
use crate::failure::Exit;
use crate::output::Table;
use crate::{failure, json, output};

/// The state of a service that takes commands.
const SERVING: &str = "SERVING";

/// What each service answered, by its name.
type Answers = Vec<(String, Result<GetStatusResponse, Status>)>;

/// Prints each service's state, positions, lag, read models and policy version.
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let mut home = Home::find(&args.target, OPERATOR)?;
    home.narrow(&args.services)?;
    let mut answers = Answers::new();
    for (name, mut client) in home.operations()? {
        let answer = client.get_status(home.request(GetStatusRequest {})).await;
        answers.push((name, answer.map(tonic::Response::into_inner)));
    }
    if args.json {
        output::print_json(&as_json(&answers)?)?;
    } else {
        output::print(&services(&answers).render());
        output::print(&format!("\n{}", read_models(&answers).render()));
        for (name, status) in answers.iter().filter_map(|(name, answer)| Some((name, answer.as_ref().err()?)))
        {
            output::say(&format!("{name}: {}", failure::explain_status(status)));
        }
    }
    Ok(if args.ready { exit_ready(&answers) } else { exit(&answers) })
}

/// Success if there are services and every one takes commands, else 6.
fn exit_ready(answers: &Answers) -> ExitCode {
    let serves = |answer: &Result<GetStatusResponse, Status>| {
        answer.as_ref().is_ok_and(|status| status.state == SERVING)
    };
    let are_ready = !answers.is_empty() && answers.iter().all(|(_, answer)| serves(answer));
    if are_ready { ExitCode::SUCCESS } else { Exit::Unavailable.into() }
}

/// Success if all answered, 6 if none did, 7 if some did.
fn exit(answers: &Answers) -> ExitCode {
    let answered = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    match answered {
        all if all == answers.len() => ExitCode::SUCCESS,
        0 => Exit::Unavailable.into(),
        _ => Exit::Partial.into(),
    }
}

fn as_json(answers: &Answers) -> anyhow::Result<Value> {
    let mut services = serde_json::Map::new();
    for (name, answer) in answers {
        let value = match answer {
            Ok(status) => json::of("seva.operations.v1.GetStatusResponse", status)?,
            Err(status) => json!({"state": "UNREACHABLE", "reason": failure::code_name(status.code())}),
        };
        services.insert(name.clone(), value);
    }
    Ok(json!({"services": services}))
}

fn services(answers: &Answers) -> Table {
    let heads = [
        "service",
        "state",
        "followed",
        "reacted",
        "shard",
        "decides at",
        "backlog",
        "policy",
        "durability",
        "reason",
    ];
    let mut table = Table::new(&heads);
    for (name, answer) in answers {
        let mut cells = vec![name.clone()];
        match answer {
            Ok(status) => cells.extend([
                status.state.clone(),
                status.followed_sequence.to_string(),
                status.reacted_sequence.to_string(),
                status.shard_sequence.to_string(),
                status.decision_sequence.to_string(),
                status.backlog_bytes.to_string(),
                status.policy_version.to_string(),
                status.durability.clone(),
                status.reason.clone(),
            ]),
            Err(_) => {
                cells.push("UNREACHABLE".to_owned());
                cells.resize(heads.len(), String::new());
            }
        }
        table.row(cells);
    }
    table
}

fn read_models(answers: &Answers) -> Table {
    let mut table = Table::new(&["service", "read model", "sequence", "behind", "seconds", "stopped"]);
    for (name, status) in answers.iter().filter_map(|(name, answer)| Some((name, answer.as_ref().ok()?))) {
        for model in &status.read_models {
            table.row(vec![
                name.clone(),
                model.name.clone(),
                model.sequence.to_string(),
                model.lag_messages.to_string(),
                format!("{:.1}", model.lag_seconds),
                model.stopped.clone(),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{COLUMNS, width};

    fn answers() -> Answers {
        let reason = "read model `open_cases.v1` stopped at a record that it cannot read".to_owned();
        let status = GetStatusResponse {
            state: "POLICY_MISSING".to_owned(),
            followed_sequence: 1_000_000,
            durability: "always".to_owned(),
            reason,
            ..GetStatusResponse::default()
        };
        vec![("feedback".to_owned(), Ok(status)), ("intake".to_owned(), Err(Status::unavailable("refused")))]
    }

    #[test]
    fn the_tables_fit_and_name_whoever_is_silent() {
        let text = services(&answers()).render();
        assert!(text.contains("UNREACHABLE"), "{text}");
        assert!(text.lines().all(|line| width(line) <= COLUMNS), "{text}");
        assert_eq!(read_models(&answers()).render().lines().count(), 1);
    }

    #[test]
    fn one_silent_service_of_two_is_a_partial_answer() {
        assert_eq!(format!("{:?}", exit(&answers())), format!("{:?}", ExitCode::from(Exit::Partial)));
        let none: Answers = answers().into_iter().filter(|(_, answer)| answer.is_err()).collect();
        assert_eq!(format!("{:?}", exit(&none)), format!("{:?}", ExitCode::from(Exit::Unavailable)));
    }

    #[test]
    fn ready_means_that_every_service_takes_commands() {
        let of = |states: &[&str]| -> Answers {
            let status = |state: &&str| GetStatusResponse {
                state: (*state).to_owned(),
                ..GetStatusResponse::default()
            };
            states.iter().map(|state| ("intake".to_owned(), Ok(status(state)))).collect()
        };
        let is_ready =
            |answers: &Answers| format!("{:?}", exit_ready(answers)) == format!("{:?}", ExitCode::SUCCESS);
        assert!(is_ready(&of(&["SERVING", "SERVING"])));
        assert!(!is_ready(&of(&["SERVING", "POLICY_MISSING"])));
        assert!(!is_ready(&of(&[])));
        assert!(!is_ready(&answers()));
    }
}
