//! What a vault promises, wherever its keys stand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod nats;
mod rotation;

use std::collections::HashSet;

use seva_domain::values::{KeyId, RequestId, Sealed};
use seva_vault::{Error, MasterKey, Opened, Purpose, SealedBytes, Vault};

use nats::{connect, server};

const MASTER: [u8; 32] = [7; 32];

fn request() -> RequestId {
    RequestId::from_bytes([9; 16])
}

#[tokio::test]
async fn a_vault_in_memory_keeps_its_promises() {
    promises(&Vault::in_memory(MasterKey::from_bytes(MASTER))).await;
}

#[tokio::test]
async fn a_vault_in_nats_keeps_its_promises() {
    let server = server().await;
    promises(&connect(&server, MASTER).await.unwrap()).await;
}

/// Every promise, of one vault.
async fn promises(vault: &Vault) {
    a_text_opens_again(vault).await;
    nothing_about_a_sealed_text_can_be_changed(vault).await;
    what_an_erased_key_sealed_is_erased(vault).await;
    a_buried_key_opens_nothing_more(vault).await;
    many_texts_open_in_their_order(vault).await;
    a_key_is_given_out_once(vault).await;
    a_hash_needs_its_key(vault).await;
    derived_keys_follow_from_the_purpose(vault);
}

async fn a_text_opens_again(vault: &Vault) {
    let key = vault.fresh().await.unwrap();
    for text in ["", "plain", "நன்றி, çok güzel"] {
        let sealed = vault.seal(key, request(), "text", text).await.unwrap();
        assert_eq!(sealed.key, key);
        assert_eq!(sealed.context, format!("{}/text", request()));
        assert!(text.is_empty() || !sealed.data.contains(text));
        assert_eq!(vault.open(&sealed).await.unwrap(), Opened::Clear(text.to_owned()));
    }
    let first = vault.seal(key, request(), "text", "same").await.unwrap();
    let second = vault.seal(key, request(), "text", "same").await.unwrap();
    assert_ne!(first.data, second.data, "equal texts are not told by their sealed form");
}

async fn nothing_about_a_sealed_text_can_be_changed(vault: &Vault) {
    let (key, other) = (vault.fresh().await.unwrap(), vault.fresh().await.unwrap());
    let sealed = vault.seal(key, request(), "text", "as it was").await.unwrap();
    let changed_first = if sealed.data.starts_with('A') { "B" } else { "A" };
    let changed = [
        Sealed { key: other, ..sealed.clone() },
        Sealed { context: sealed.context.replace("text", "name"), ..sealed.clone() },
        Sealed { data: format!("{changed_first}{}", &sealed.data[1..]), ..sealed.clone() },
        Sealed { data: sealed.data[..8].to_owned(), ..sealed.clone() },
        Sealed { data: "not base64!".to_owned(), ..sealed.clone() },
        Sealed { data: String::new(), ..sealed.clone() },
    ];
    for changed in changed {
        assert!(matches!(vault.open(&changed).await, Err(Error::DamagedText { .. })), "{changed:?}");
    }
}

async fn what_an_erased_key_sealed_is_erased(vault: &Vault) {
    let key = vault.fresh().await.unwrap();
    let sealed = vault.seal(key, request(), "text", "to be forgotten").await.unwrap();
    vault.erase(key).await.unwrap();
    vault.erase(key).await.unwrap();
    assert_eq!(vault.open(&sealed).await.unwrap(), Opened::Erased);
    assert!(
        matches!(vault.seal(key, request(), "text", "late").await, Err(Error::Gone(gone)) if gone == key)
    );
    let never = Sealed { key: KeyId::from_bytes([0; 16]), ..sealed };
    assert_eq!(vault.open(&never).await.unwrap(), Opened::Erased);
}

async fn a_buried_key_opens_nothing_more(vault: &Vault) {
    let key = vault.fresh().await.unwrap();
    let sealed = vault.seal(key, request(), "text", "to be forgotten").await.unwrap();
    vault.bury(key);
    assert_eq!(vault.open(&sealed).await.unwrap(), Opened::Erased);
    assert!(matches!(vault.seal(key, request(), "text", "late").await, Err(Error::Gone(_))));
    assert_eq!(vault.mac(key, b"body").await.unwrap(), None);
}

#[tokio::test]
async fn a_key_that_somebody_says_is_gone_is_not_asked_for() {
    let vault = Vault::in_memory(MasterKey::from_bytes(MASTER));
    let gone = KeyId::from_bytes([3; 16]);
    vault.refuse(move |key| key == gone);
    assert!(matches!(vault.seal(gone, request(), "text", "late").await, Err(Error::Gone(_))));
    let key = vault.fresh().await.unwrap();
    vault.seal(key, request(), "text", "in time").await.unwrap();
}

async fn many_texts_open_in_their_order(vault: &Vault) {
    let mut keys = Vec::new();
    for _ in 0..40 {
        keys.push(vault.fresh().await.unwrap());
    }
    let mut sealed = Vec::new();
    for n in 0..120 {
        let text = vault.seal(keys[n % keys.len()], request(), "text", &format!("text {n}")).await.unwrap();
        sealed.push((text.key, text.context, decode(&text.data)));
    }
    vault.erase(keys[5]).await.unwrap();
    sealed[7].2[30] ^= 1;
    let texts: Vec<_> =
        sealed.iter().map(|(key, context, data)| SealedBytes { key: *key, context, data }).collect();
    let opened = vault.open_all(&texts).await.unwrap();
    for (n, opened) in opened.iter().enumerate() {
        let readable = n % keys.len() != 5 && n != 7;
        let expected = if readable { Opened::Clear(format!("text {n}")) } else { Opened::Erased };
        assert_eq!(*opened, expected, "text {n}");
    }
    assert!(vault.open_all(&[]).await.unwrap().is_empty());
}

async fn a_key_is_given_out_once(vault: &Vault) {
    let mut given = HashSet::new();
    for _ in 0..1_200 {
        assert!(given.insert(vault.fresh().await.unwrap()));
    }
}

async fn a_hash_needs_its_key(vault: &Vault) {
    let (key, other) = (vault.fresh().await.unwrap(), vault.fresh().await.unwrap());
    let hash = vault.mac(key, b"body").await.unwrap();
    assert!(hash.is_some());
    assert_eq!(vault.mac(key, b"body").await.unwrap(), hash);
    assert_ne!(vault.mac(key, b"other body").await.unwrap(), hash);
    assert_ne!(vault.mac(other, b"body").await.unwrap(), hash);
    vault.erase(key).await.unwrap();
    assert_eq!(vault.mac(key, b"body").await.unwrap(), None);
}

fn derived_keys_follow_from_the_purpose(vault: &Vault) {
    let of = |master: u8, purpose| Vault::in_memory(MasterKey::from_bytes([master; 32])).derived(purpose);
    assert_eq!(vault.derived(Purpose::Requests), of(7, Purpose::Requests));
    assert_ne!(vault.derived(Purpose::Requests), vault.derived(Purpose::Lookups));
    assert_ne!(vault.derived(Purpose::Requests), of(8, Purpose::Requests));
}

fn decode(data: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(data).unwrap()
}
