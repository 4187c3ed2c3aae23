//! The people of the demo: a development key of its own, and a token for each of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use seva_api::access::Role;

use super::amends::{APPROVER, DIRECTOR, FRONT_DESK};
use super::scenario::Week;
use crate::connect;
use crate::house::system_clock;
use crate::token::{DevKey, Person, write_secret};

/// The folder of identities in the demo's folder.
pub(crate) const IDENTITY: &str = "identity";

/// How long the tokens are valid.
const VALID: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Whom the demo itself reads as.
pub(crate) const DEMO: &str = "demo";

/// Those whom other verbs speak for, beside the people of the week.
const OTHERS: [(&str, &[Role]); 10] = [
    ("analyst", &[Role::Analyst]),
    (APPROVER, &[Role::RefundApprover]),
    (DEMO, &[Role::Manager, Role::Operator]),
    (DIRECTOR, &[Role::Manager]),
    (FRONT_DESK, &[Role::Agent, Role::System]),
    (connect::IMPORTER, &[Role::System]),
    (connect::MANAGER, &[Role::Manager, Role::Supervisor]),
    (connect::OPERATOR, &[Role::Operator]),
    ("policy-editor", &[Role::PolicyEditor]),
    ("reviewer", &[Role::QualityReviewer]),
];

/// Makes the key, the identity file and the tokens, all anew but the key.
pub(crate) fn keep(dir: &Path, week: &Week) -> anyhow::Result<()> {
    let folder = dir.join(IDENTITY);
    let key = DevKey::keep(&folder)?;
    let tokens = folder.join(connect::TOKENS);
    std::fs::create_dir_all(&tokens)?;
    let now = (system_clock())();
    let keep = |person: &Person<'_>| {
        let token = key.mint(person, now, VALID)?;
        write_secret(&tokens.join(format!("{}.token", person.subject)), &token)
    };
    for (subject, roles) in OTHERS {
        keep(&Person { subject, roles, ..Person::default() })?;
    }
    let names: BTreeSet<&str> = week.steps.iter().map(|step| step.by.as_str()).collect();
    for subject in names.into_iter().filter(|name| OTHERS.iter().all(|(other, _)| other != name)) {
        keep(&of_the_week(subject))?;
    }
    Ok(())
}

/// What somebody of the week is, as their name says: `agent-12`, `lead-04`, or `product-05` of a department.
fn of_the_week(subject: &str) -> Person<'_> {
    let (what, _) = subject.split_once('-').unwrap_or((subject, ""));
    match what {
        "agent" => Person { subject, roles: &[Role::Agent], ..Person::default() },
        "lead" => Person { subject, roles: &[Role::Supervisor, Role::Manager], ..Person::default() },
        department => {
            let department = Some(department.to_owned());
            Person { subject, roles: &[Role::Agent], department, ..Person::default() }
        }
    }
}
