//! Every place where something may have been written, as bytes: messages of the log's server, files, rows of the databases.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream;
use futures::{StreamExt as _, TryStreamExt as _};
use seva_rights::Identity;
use seva_support::TestNats;

use crate::search::{Found, Search};

/// Bytes by where they were found.
pub type Places = BTreeMap<String, Vec<u8>>;

/// Where something looked for stands, and what was found there first.
pub fn found(search: &Search, places: &Places) -> Vec<(String, Found)> {
    places.iter().filter_map(|(place, bytes)| Some((place.clone(), search.find(bytes)?))).collect()
}

/// Subject, headers and payload of every message of every stream.
pub async fn stored_messages(nats: &TestNats) -> Result<Places> {
    let context = jetstream::new(nats.connect(Identity::Operator).await);
    let names: Vec<String> = context.stream_names().try_collect().await?;
    ensure!(names.len() >= 3, "the log, the keys and the published events: {names:?}");
    let mut places = Places::new();
    for name in names {
        let mut stream = context.get_stream(&name).await?;
        let state = stream.info().await?.state.clone();
        let stream = &stream;
        let all = futures::stream::iter(state.first_sequence..=state.last_sequence);
        let messages: Vec<_> =
            all.map(|n| async move { (n, stream.get_raw_message(n).await) }).buffered(32).collect().await;
        let mut count = 0;
        for (n, message) in messages {
            // Of some streams messages may have been deleted.
            let Ok(message) = message else { continue };
            let mut bytes = format!("{}\n{:?}\n", message.subject, message.headers).into_bytes();
            bytes.extend_from_slice(&message.payload);
            places.insert(format!("message {n} of {name}"), bytes);
            count += 1;
        }
        ensure!(count == state.messages, "{name}: {count} of {} messages", state.messages);
    }
    Ok(places)
}

/// Every file under a folder, as it is.
pub fn files(folder: &Path) -> Result<Places> {
    let mut places = Places::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            places.append(&mut files(&path)?);
        } else {
            places.insert(
                path.display().to_string(),
                [path.display().to_string().into_bytes(), fs::read(&path)?].concat(),
            );
        }
    }
    Ok(places)
}

/// Every row of every tree of every database under a folder whose services have stopped, name, key and value.
pub fn rows(data: &Path) -> Result<Places> {
    let mut places = Places::new();
    for service in ["escalation", "feedback", "intake", "policy", "refunds"] {
        let generations = fs::read_dir(data.join(service))?.map(|entry| Ok(entry?.path()));
        let generations = generations.collect::<std::io::Result<Vec<_>>>()?;
        let is_generation = |path: &&std::path::PathBuf| path.to_string_lossy().contains("generation-");
        let generation = generations.iter().find(is_generation).context("a service without a database")?;
        let db = sled::open(generation)?;
        for name in db.tree_names() {
            let name_told = String::from_utf8_lossy(&name).into_owned();
            for (n, row) in db.open_tree(&name)?.iter().enumerate() {
                let (key, value) = row?;
                places.insert(
                    format!("row {n} of {service}'s {name_told}"),
                    [name.as_ref(), &key, &value].concat(),
                );
            }
        }
    }
    ensure!(places.len() > 100, "only {} rows", places.len());
    Ok(places)
}
