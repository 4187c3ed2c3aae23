//! Rotating the master key: nothing is lost that should be kept, and what the old epoch wrapped is dead.

use std::path::PathBuf;

use async_nats::jetstream;
use bytes::Bytes;
use seva_domain::values::{KeyId, Sealed};
use seva_rights::Identity;
use seva_support::TestNats;
use seva_vault::{MasterKey, Opened, Vault, rotate};
use tempfile::TempDir;

use crate::nats::{SERVICE, context, server};
use crate::request;

/// A server, and a master key in a file.
struct Setting {
    server: TestNats,
    folder: TempDir,
}

impl Setting {
    async fn new() -> Setting {
        let setting = Setting { server: server().await, folder: tempfile::tempdir().unwrap() };
        MasterKey::generate_file(setting.file()).unwrap();
        setting
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    async fn vault(&self) -> Vault {
        let master = MasterKey::from_file(self.file()).unwrap();
        let keeper = context(&self.server, Identity::Keeper).await;
        Vault::connect(context(&self.server, SERVICE).await, Some(keeper), master).await.unwrap()
    }

    async fn rotate(&self) -> seva_vault::Rotated {
        let operator = context(&self.server, Identity::Operator).await;
        let keeper = context(&self.server, Identity::Keeper).await;
        rotate(&operator, keeper, &self.file()).await.unwrap()
    }

    async fn stream(&self) -> jetstream::stream::Stream {
        context(&self.server, Identity::Operator).await.get_stream("SEVA_KEYS").await.unwrap()
    }

    /// What the store keeps of a key.
    async fn wrapped(&self, key: KeyId) -> Bytes {
        let stream = self.stream().await;
        stream.get_last_raw_message_by_subject(&subject(key)).await.unwrap().payload
    }
}

fn subject(key: KeyId) -> String {
    format!("seva.key.{}", key.to_string().trim_start_matches("key_"))
}

async fn sealed(vault: &Vault, text: &str) -> Sealed {
    let key = vault.fresh().await.unwrap();
    vault.seal(key, request(), "text", text).await.unwrap()
}

#[tokio::test]
async fn what_was_sealed_before_a_rotation_opens_after_it_in_processes_old_and_new() {
    let setting = Setting::new().await;
    let old = setting.vault().await;
    let before = sealed(&old, "before").await;
    let erased = sealed(&old, "erased").await;
    old.erase(erased.key).await.unwrap();
    let rotated = setting.rotate().await;
    assert_eq!((rotated.epoch, rotated.damaged), (2, 0));
    assert!(rotated.rewrapped >= 499, "{rotated:?}");

    let new = setting.vault().await;
    assert_eq!(new.open(&before).await.unwrap(), Opened::Clear("before".to_owned()));
    assert_eq!(new.open(&erased).await.unwrap(), Opened::Erased);
    let after = sealed(&new, "after").await;
    // The old process has never heard of the new epoch: it reads the keyring again.
    assert_eq!(old.open(&after).await.unwrap(), Opened::Clear("after".to_owned()));
    for _ in 0..1_100 {
        old.fresh().await.unwrap();
    }
    let late = sealed(&old, "late").await;
    assert_eq!(new.open(&late).await.unwrap(), Opened::Clear("late".to_owned()));
    assert_eq!(setting.wrapped(late.key).await[0], 2, "keys are made in the new epoch");
}

#[tokio::test]
async fn a_key_from_a_backup_of_before_a_rotation_opens_nothing() {
    let setting = Setting::new().await;
    let vault = setting.vault().await;
    let (asha, ben) = (sealed(&vault, "asha").await, sealed(&vault, "ben").await);
    let backup = setting.wrapped(asha.key).await;
    vault.erase(asha.key).await.unwrap();
    setting.rotate().await;
    // As if the store had been put back: what says that the key is gone is not there.
    let stream = context(&setting.server, Identity::Keeper).await.get_stream("SEVA_KEYS").await.unwrap();
    let mark = stream.get_last_raw_message_by_subject(&subject(asha.key)).await.unwrap();
    stream.delete_message(mark.sequence).await.unwrap();
    let client = context(&setting.server, SERVICE).await;
    client.publish(subject(asha.key), backup).await.unwrap().await.unwrap();

    let new = setting.vault().await;
    assert_eq!(new.open(&asha).await.unwrap(), Opened::Erased);
    assert_eq!(new.open(&ben).await.unwrap(), Opened::Clear("ben".to_owned()));
}

#[tokio::test]
async fn a_rotation_that_died_is_gone_on_with() {
    let setting = Setting::new().await;
    let vault = setting.vault().await;
    let before = sealed(&vault, "before").await;
    let rotating = setting.rotate();
    // Dropped wherever it is then.
    let _died = tokio::time::timeout(std::time::Duration::from_millis(30), rotating).await;
    let halfway = std::fs::read_to_string(setting.file()).unwrap();
    assert_eq!(vault.open(&before).await.unwrap(), Opened::Clear("before".to_owned()));
    setting.rotate().await;
    let text = std::fs::read_to_string(setting.file()).unwrap();
    assert_eq!(text.matches("\nepoch ").count(), 1, "{}", halfway.matches("\nepoch ").count());
    let new = setting.vault().await;
    assert_eq!(new.open(&before).await.unwrap(), Opened::Clear("before".to_owned()));
}

#[tokio::test]
async fn keys_made_while_the_master_key_is_rotated_are_not_lost() {
    let setting = Setting::new().await;
    let vault = setting.vault().await;
    let making = async {
        let mut all = Vec::new();
        for n in 0..3_000 {
            all.push(sealed(&vault, &format!("text {n}")).await);
        }
        all
    };
    let (all, rotated) = tokio::join!(making, setting.rotate());
    assert_eq!(rotated.damaged, 0);
    let new = setting.vault().await;
    for (n, text) in all.iter().enumerate() {
        assert_eq!(new.open(text).await.unwrap(), Opened::Clear(format!("text {n}")));
    }
}

#[tokio::test]
async fn the_master_key_can_be_rotated_again_and_again() {
    let setting = Setting::new().await;
    let vault = setting.vault().await;
    let text = sealed(&vault, "kept").await;
    for epoch in 2..5 {
        assert_eq!(setting.rotate().await.epoch, epoch);
    }
    let opened = setting.vault().await.open(&text).await.unwrap();
    assert_eq!(opened, Opened::Clear("kept".to_owned()));
}
