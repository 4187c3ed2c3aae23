//! The table of methods and roles: generated from the contracts, reviewed in `permissions.md`, called for real, and shown in the README.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use seva_api::access::{METHODS, Method, ObjectRule, Role};
use seva_domain::service::Service;
use seva_stories::{House, as_person};

use super::call::refused_at_the_door;
use seva::token::Person;

/// What a cell says: may call and reads texts, may call, may not.
const READS: &str = "●";
const CALLS: &str = "○";
const DENIED: &str = "";

fn reviewed_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/permissions/permissions.md")
}

/// The table as the contracts declare it.
fn generated() -> String {
    let mut text = "| method |".to_owned();
    for role in Role::ALL {
        write!(text, " {} |", role.name().replace('_', " ")).unwrap();
    }
    text.push_str(" nobody | object rule |\n|---|");
    text.push_str(&":-:|".repeat(Role::ALL.len() + 1));
    text.push_str("---|\n");
    for method in METHODS {
        write!(text, "| {} |", method.short_name()).unwrap();
        for role in Role::ALL {
            write!(text, " {} |", cell(method, role)).unwrap();
        }
        let rule = match method.object_rule {
            ObjectRule::None => "",
            ObjectRule::OwnDepartment => "own department",
            ObjectRule::NotTheRequester => "not the requester",
        };
        writeln!(text, "  | {rule} |").unwrap();
    }
    text
}

fn cell(method: &Method, role: Role) -> &'static str {
    match (method.roles.contains(&role), method.personal_data.contains(&role)) {
        (true, true) => READS,
        (true, false) => CALLS,
        (false, _) => DENIED,
    }
}

#[test]
fn the_table_that_was_reviewed_is_what_the_contracts_declare() {
    let generated = generated();
    let file = reviewed_file();
    if std::env::var_os("SEVA_RENEW_PERMISSIONS").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap();
    assert!(
        reviewed == generated,
        "the contracts declare other permissions than {} says. If that is meant, renew it and review the difference:\n  \
         SEVA_RENEW_PERMISSIONS=1 cargo test -p seva-stories --test permissions -- the_table_that_was_reviewed\n\n{generated}",
        file.display()
    );
}

#[test]
fn the_readme_shows_the_reviewed_table() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let reviewed = std::fs::read_to_string(reviewed_file()).unwrap();
    assert!(
        !reviewed.is_empty() && readme.contains(&reviewed),
        "the README's table of permissions is not the one in {}",
        reviewed_file().display()
    );
}

/// The rows of the reviewed table: a method's short name, and for each role whether it may call.
fn rows() -> Vec<(String, Vec<bool>)> {
    let reviewed = std::fs::read_to_string(reviewed_file()).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let may = cells[1..=Role::ALL.len() + 1].iter().map(|cell| *cell != DENIED).collect();
        (cells[0].to_owned(), may)
    };
    reviewed.lines().skip(2).map(row).collect()
}

/// Where a method is served: each service answers for itself, and all of them to operators.
fn served_by(method: &Method) -> Vec<Service> {
    let of = |service: &Service| method.path.starts_with(&format!("/seva.{}.", service.name()));
    let everywhere = method.path.starts_with("/seva.operations.");
    Service::ALL.into_iter().filter(|service| everywhere || of(service)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_answers_every_role_as_the_reviewed_table_says() {
    let house = House::start().await;
    let rows = rows();
    assert_eq!(rows.len(), METHODS.len());
    let (mut called, mut wrong) = (0, Vec::new());
    for (method, (name, may)) in METHODS.iter().zip(&rows) {
        assert_eq!(method.short_name(), name);
        for service in served_by(method) {
            let channel = house.channel(service);
            let roles = Role::ALL.map(Some).into_iter().chain([None]);
            for (role, may) in roles.zip(may) {
                let roles = role.as_slice();
                let department = Some("product".to_owned());
                let person = Person { subject: "somebody-else", roles, department, ..Person::default() };
                let refusal = refused_at_the_door(channel.clone(), method.path, as_person(&person, ())).await;
                called += 1;
                let reason = if role.is_some() { "ROLE_NOT_ALLOWED" } else { "NO_ROLE" };
                let is_met = match &refusal {
                    None => *may,
                    Some(refusal) => !*may && refusal.brief() == format!("PermissionDenied {reason}"),
                };
                if !is_met {
                    wrong.push(format!("{name} as {role:?} at {}: {refusal:?}", service.name()));
                }
            }
        }
    }
    let met = called - wrong.len();
    println!(
        "{} methods x {} roles and nobody: {called} cells called, {called} expected, {met} met",
        METHODS.len(),
        Role::ALL.len()
    );
    assert!(wrong.is_empty(), "{} cells are not as reviewed:\n{}", wrong.len(), wrong.join("\n"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_contract_declares_is_not_there() {
    let house = House::start().await;
    let channel = house.channel(Service::Intake);
    for path in
        ["/seva.intake.v1.IntakeService/DropEverything", "/seva.refunds.v2.RefundsService/GetRefund", "/x/y"]
    {
        let refusal =
            refused_at_the_door(channel.clone(), path, seva_stories::as_actor("somebody", ())).await.unwrap();
        assert_eq!(refusal.brief(), "Unimplemented UNIMPLEMENTED", "{path}");
    }
    let raw = house.connection(Service::Intake);
    let health = "/grpc.health.v1.Health/Check";
    super::call::call(raw.clone(), health, tonic::Request::new(())).await.expect("health is for everybody");
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let refusal = super::call::call(raw, reflection, tonic::Request::new(())).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::Unauthenticated, "reflection is for those who have a role");
    house.stop().await;
}
