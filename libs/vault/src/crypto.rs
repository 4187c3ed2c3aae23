//! The primitives: wrapping keys, sealing texts under them, keyed hashes. No I/O.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::TryRngCore as _;
use seva_domain::values::KeyId;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a nonce, which stands before every ciphertext.
const NONCE_BYTES: usize = 24;

/// Version of the wrapped form, its first byte and authenticated with the rest.
const WRAPPED_V1: u8 = 1;

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// HMAC-SHA256 over length-framed parts.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into_bytes().into()
}

/// Encrypts under a fresh nonce: nonce, then ciphertext.
fn encrypt(key: &[u8; 32], message: &[u8], context: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_BYTES] = random();
    let ciphertext = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: message, aad: context })
        .expect("a message is far below the cipher's limit");
    [&nonce[..], &ciphertext].concat()
}

/// Decrypts what [`encrypt`] made; `None` if anything about it differs.
fn decrypt(key: &[u8; 32], sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES)?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: context })
        .ok()
}

/// What wraps the keys: derived from the master key.
pub(crate) struct WrappingKey(Zeroizing<[u8; 32]>);

impl WrappingKey {
    pub(crate) fn new(bytes: [u8; 32]) -> WrappingKey {
        WrappingKey(Zeroizing::new(bytes))
    }

    /// Makes a key: its name, itself, and its wrapped form for the store.
    pub(crate) fn make(&self) -> (KeyId, Key, Vec<u8>) {
        let id = KeyId::from_bytes(random());
        let secret = Zeroizing::new(random::<32>());
        let mut wrapped = vec![WRAPPED_V1];
        wrapped.extend(encrypt(&self.0, &*secret, &wrap_context(id)));
        (id, Key::new(&secret), wrapped)
    }

    /// The key in a wrapped form; `None` if it was altered, stands under another name or was wrapped by another master key.
    pub(crate) fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Option<Key> {
        let (&WRAPPED_V1, sealed) = wrapped.split_first()? else {
            return None;
        };
        let secret = Zeroizing::new(decrypt(&self.0, sealed, &wrap_context(id))?);
        let secret: &[u8; 32] = secret.as_slice().try_into().ok()?;
        Some(Key::new(secret))
    }

    /// A message that only this wrapping key opens, to tell a wrong master key at start.
    pub(crate) fn make_check(&self) -> Vec<u8> {
        encrypt(&self.0, b"seva", b"seva.keycheck.v1")
    }

    /// Whether this wrapping key made the check.
    pub(crate) fn opens_check(&self, check: &[u8]) -> bool {
        decrypt(&self.0, check, b"seva.keycheck.v1").is_some_and(|text| text == b"seva")
    }
}

fn wrap_context(id: KeyId) -> [u8; 17] {
    let mut context = [WRAPPED_V1; 17];
    context[1..].copy_from_slice(id.bytes());
    context
}

/// A key ready for use: one subkey to seal, one to hash.
pub(crate) struct Key {
    sealing: Zeroizing<[u8; 32]>,
    hashing: Zeroizing<[u8; 32]>,
}

impl Key {
    fn new(secret: &[u8; 32]) -> Key {
        Key {
            sealing: Zeroizing::new(hmac(secret, &[b"seal"])),
            hashing: Zeroizing::new(hmac(secret, &[b"mac"])),
        }
    }

    /// Seals a text to its key's name and its context.
    pub(crate) fn seal(&self, id: KeyId, context: &str, text: &str) -> Vec<u8> {
        encrypt(&self.sealing, text.as_bytes(), &text_context(id, context))
    }

    /// The text, if nothing about it was altered.
    pub(crate) fn open(&self, id: KeyId, context: &str, sealed: &[u8]) -> Option<String> {
        String::from_utf8(decrypt(&self.sealing, sealed, &text_context(id, context))?).ok()
    }

    /// The first 16 bytes of the keyed hash.
    pub(crate) fn mac(&self, bytes: &[u8]) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&hmac(&self.hashing, &[bytes])[..16]);
        short
    }
}

fn text_context(id: KeyId, context: &str) -> Vec<u8> {
    [id.bytes(), context.as_bytes()].concat()
}
