//! The systemd units: one instance for each service, hardened, with time to drain; checked by systemd where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Output};

use seva_host::shutdown::DRAIN;

use crate::files::{root, services, text, variables};

/// The most that systemd may call exposed of a unit, in tenths.
const EXPOSURE_MAX: &str = "15";

/// A unit's settings, the last of each name; lines that go on are joined.
pub(crate) fn unit(name: &str) -> BTreeMap<String, String> {
    let text = text(&format!("deploy/systemd/{name}")).replace("\\\n", " ");
    let settings = text.lines().filter(|line| !line.starts_with(['#', '[']));
    let pairs = settings.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_target_and_the_ports_name_every_service() {
    let wanted: BTreeSet<String> =
        services().iter().map(|service| format!("Wants=seva@{service}.service")).collect();
    let target = text("deploy/systemd/seva.target");
    let found = target.lines().filter(|line| line.starts_with("Wants=seva@")).map(ToOwned::to_owned);
    assert_eq!(found.collect::<BTreeSet<_>>(), wanted);

    let mut names = BTreeSet::new();
    for service in services() {
        names.extend([format!("PORT_{service}"), format!("METRICS_PORT_{service}")]);
    }
    let variables = variables();
    assert_eq!(variables.keys().cloned().collect::<BTreeSet<_>>(), names);
    let ports: BTreeSet<&String> = variables.values().collect();
    assert_eq!(ports.len(), variables.len(), "two have one port");
}

#[test]
fn a_service_has_time_to_drain_and_gets_its_seed_and_the_master_key_as_credentials() {
    let unit = unit("seva@.service");
    let seconds: u64 = unit["TimeoutStopSec"].strip_suffix('s').unwrap().parse().unwrap();
    assert!(seconds > DRAIN.as_secs());
    let text = text("deploy/systemd/seva@.service");
    assert!(text.lines().any(|line| line == "LoadCredential=%i.nk:/etc/seva/seeds/%i.nk"));
    assert!(unit["ExecStart"].contains("--nats-creds ${CREDENTIALS_DIRECTORY} "));
    assert_eq!(unit["LoadCredential"], "master-key:/etc/seva/master.key");
    assert!(unit["ExecStart"].contains("--master-key-file ${CREDENTIALS_DIRECTORY}/master-key"));
    assert_eq!(unit["Restart"], "on-failure");
}

fn systemd_analyze(args: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze cannot be run here: {error}");
            None
        }
    }
}

#[test]
fn systemd_takes_the_units_and_calls_them_little_exposed() {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("deploy/systemd")).unwrap() {
        let path = entry.unwrap().path();
        // A program has to be there for its unit to be whole.
        let text = fs::read_to_string(&path).unwrap();
        let text = ["/usr/local/bin/nats-server", "/usr/local/bin/seva"]
            .iter()
            .fold(text, |text, program| text.replace(program, "/bin/true"));
        fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::copy(path("seva@.service"), path("seva@intake.service")).unwrap();
    let units = ["nats-server.service", "seva.target", "seva@intake.service"].map(path);
    let [log, target, service] = units.each_ref().map(String::as_str);
    let Some(verified) = systemd_analyze(&["verify", log, target, service]) else { return };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains(folder.path().to_str().unwrap()), "{said}");
    for unit in [log, service] {
        let Some(judged) = systemd_analyze(&["security", "--offline=yes", "--threshold", EXPOSURE_MAX, unit])
        else {
            return;
        };
        let said = String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    }
}
