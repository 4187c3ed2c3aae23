//! The configuration file of our nats-server, and reading back the two lines that identify it.

use std::path::{Path, PathBuf};

/// What one nats-server is started with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) monitor_port: u16,
    pub(super) sync_always: bool,
    /// Who is let in and what they may do, in the server's language.
    pub(super) accounts: String,
    pub(super) files: Files,
}

/// Where a server keeps its files inside its folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Files {
    pub(super) accounts: PathBuf,
    pub(super) config: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) log: PathBuf,
    pub(super) pid: PathBuf,
    store: PathBuf,
}

impl Files {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            accounts: folder.join("nats-accounts.conf"),
            config: folder.join("nats-server.conf"),
            lock: folder.join("nats-server.lock"),
            log: folder.join("nats-server.log"),
            pid: folder.join("nats-server.pid"),
            store: folder.join("store"),
        }
    }
}

impl Config {
    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(super) fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// Writes the settings, one per line: the server cannot parse several on one line. Gives up
    /// with the path at fault when it is not plain text.
    pub(super) fn text(&self) -> Result<String, PathBuf> {
        let Self { name, port, monitor_port, sync_always, files, .. } = self;
        let (log, pid, store) = (quoted(&files.log)?, quoted(&files.pid)?, quoted(&files.store)?);
        let sync = if *sync_always { "always" } else { "2m" };
        Ok(format!(
            "server_name: {name}\n\
             listen: 127.0.0.1:{port}\n\
             http: 127.0.0.1:{monitor_port}\n\
             log_file: {log}\n\
             logfile_size_limit: 64MB\n\
             logfile_max_num: 3\n\
             pid_file: {pid}\n\
             jetstream {{\n\
             \x20 store_dir: {store}\n\
             \x20 sync_interval: {sync}\n\
             }}\n\
             include ./nats-accounts.conf\n"
        ))
    }
}

/// Reads the server's name and monitoring address back from a file that [`Config::text`] wrote.
pub(super) fn identity(text: &str) -> Option<(&str, String)> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    Some((value("server_name: ")?, format!("http://{}", value("http: ")?)))
}

fn quoted(path: &Path) -> Result<String, PathBuf> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r'])).ok_or_else(|| path.to_owned())?;
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &str) -> Config {
        Config {
            name: "seva-1".into(),
            port: 14222,
            monitor_port: 18222,
            sync_always: true,
            accounts: String::new(),
            files: Files::in_folder(Path::new(folder)),
        }
    }

    #[test]
    fn there_is_one_setting_a_line() {
        let expected = r#"server_name: seva-1
listen: 127.0.0.1:14222
http: 127.0.0.1:18222
log_file: "/data/nats/nats-server.log"
logfile_size_limit: 64MB
logfile_max_num: 3
pid_file: "/data/nats/nats-server.pid"
jetstream {
  store_dir: "/data/nats/store"
  sync_interval: always
}
include ./nats-accounts.conf
"#;
        assert_eq!(config("/data/nats").text().unwrap(), expected);
    }

    #[test]
    fn odd_folder_names_are_quoted() {
        let text = config("/da ta/\"q\"\\").text().unwrap();
        assert!(text.contains(r#"store_dir: "/da ta/\"q\"\\/store""#), "{text}");
        assert!(config("/new\nline").text().is_err());
    }

    #[test]
    fn a_written_config_tells_whose_it_is() {
        let text = config("/data").text().unwrap();
        assert_eq!(identity(&text), Some(("seva-1", "http://127.0.0.1:18222".to_owned())));
        assert_eq!(identity("listen: 1"), None);
    }
}
