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

/// Versions of the wrapped form, its first byte and authenticated with the rest. The first says no epoch: it is of epoch 1.
const WRAPPED_V1: u8 = 1;
const WRAPPED_V2: u8 = 2;

/// The epoch of the master key before it was ever rotated.
pub(crate) const FIRST_EPOCH: u32 = 1;

/// What a check begins with that says its epoch; one that does not is of the first, and shorter.
const CHECK_V2: &[u8] = b"seva2";

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

/// What wraps the keys in one epoch of the master key.
pub(crate) struct WrappingKey {
    epoch: u32,
    secret: Zeroizing<[u8; 32]>,
}

impl WrappingKey {
    pub(crate) fn new(epoch: u32, bytes: [u8; 32]) -> WrappingKey {
        WrappingKey { epoch, secret: Zeroizing::new(bytes) }
    }

    /// Which epoch of the master key it is of.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The secret itself, for the keyring's file.
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Makes a key: its name, itself, and its wrapped form for the store.
    pub(crate) fn make(&self) -> (KeyId, Key, Vec<u8>) {
        let id = KeyId::from_bytes(random());
        let secret = Zeroizing::new(random::<32>());
        (id, Key::new(&secret), self.wrap(id, &secret))
    }

    fn wrap(&self, id: KeyId, secret: &[u8; 32]) -> Vec<u8> {
        let mut wrapped = self.begin();
        wrapped.extend(encrypt(&self.secret, secret, &self.context(id)));
        wrapped
    }

    /// The key in a wrapped form; `None` if it was altered, stands under another name or was wrapped by another master key.
    pub(crate) fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Option<Key> {
        self.secret_in(id, wrapped).map(|secret| Key::new(&secret))
    }

    /// A key that an older epoch wrapped, wrapped by this one; `None` as for [`WrappingKey::unwrap`].
    pub(crate) fn rewrap(&self, older: &WrappingKey, id: KeyId, wrapped: &[u8]) -> Option<Vec<u8>> {
        older.secret_in(id, wrapped).map(|secret| self.wrap(id, &secret))
    }

    fn secret_in(&self, id: KeyId, wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let sealed = wrapped.strip_prefix(self.begin().as_slice())?;
        let secret = Zeroizing::new(decrypt(&self.secret, sealed, &self.context(id))?);
        let secret: &[u8; 32] = secret.as_slice().try_into().ok()?;
        Some(Zeroizing::new(*secret))
    }

    /// What a form wrapped by this epoch begins with.
    fn begin(&self) -> Vec<u8> {
        match self.epoch {
            FIRST_EPOCH => vec![WRAPPED_V1],
            epoch => [&[WRAPPED_V2], epoch.to_be_bytes().as_slice()].concat(),
        }
    }

    fn context(&self, id: KeyId) -> Vec<u8> {
        [self.begin().as_slice(), id.bytes()].concat()
    }

    /// A message that only this wrapping key opens, to tell a wrong master key at start, and which epoch keys are made in.
    pub(crate) fn make_check(&self) -> Vec<u8> {
        let check = encrypt(&self.secret, b"seva", b"seva.keycheck.v1");
        match self.epoch {
            FIRST_EPOCH => check,
            epoch => [CHECK_V2, epoch.to_be_bytes().as_slice(), &check].concat(),
        }
    }

    /// Whether this wrapping key made the check.
    pub(crate) fn opens_check(&self, check: &[u8]) -> bool {
        let check = check_epoch(check).map_or(check, |(_, rest)| rest);
        decrypt(&self.secret, check, b"seva.keycheck.v1").is_some_and(|text| text == b"seva")
    }
}

/// The epoch whose key wrapped this form; `None` for what no epoch wrapped.
pub(crate) fn epoch_of(wrapped: &[u8]) -> Option<u32> {
    match wrapped.split_first()? {
        (&WRAPPED_V1, _) => Some(FIRST_EPOCH),
        (&WRAPPED_V2, rest) => rest.first_chunk().map(|epoch| u32::from_be_bytes(*epoch)),
        _ => None,
    }
}

/// The epoch that a check says keys are made in.
pub(crate) fn epoch_of_check(check: &[u8]) -> u32 {
    check_epoch(check).map_or(FIRST_EPOCH, |(epoch, _)| epoch)
}

/// The epoch in a check that says one, and the rest of it. One of the first epoch is a nonce, a word and a tag long: shorter.
fn check_epoch(check: &[u8]) -> Option<(u32, &[u8])> {
    let rest = check.strip_prefix(CHECK_V2).filter(|_| check.len() > NONCE_BYTES + 4 + 16)?;
    rest.split_first_chunk().map(|(epoch, rest)| (u32::from_be_bytes(*epoch), rest))
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
