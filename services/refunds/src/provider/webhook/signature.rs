//! The signature over a webhook: made by the provider, checked here.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::Secret;

/// Signs a body at this second. The provider's side.
pub fn sign(secret: &Secret, at_s: i64, body: &[u8]) -> String {
    let code = code(secret, at_s, body).finalize().into_bytes();
    let digits: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={digits}")
}

fn code(secret: &Secret, at_s: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("HMAC takes keys of any length");
    code.update(at_s.to_string().as_bytes());
    code.update(b".");
    code.update(body);
    code
}

/// A signature header, taken apart.
pub(super) struct Signed {
    pub(super) at_s: i64,
    codes: Vec<Vec<u8>>,
}

impl Signed {
    pub(super) fn parse(header: &str) -> Option<Signed> {
        let mut at_s = None;
        let mut codes = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", seconds) if at_s.is_none() => at_s = Some(seconds.parse().ok()?),
                ("t", _) => return None,
                ("v1", digits) => codes.push(bytes(digits)?),
                // Other schemes, older or newer.
                (_, _) => {}
            }
        }
        let is_signed = !codes.is_empty();
        at_s.filter(|_| is_signed).map(|at_s| Signed { at_s, codes })
    }

    /// Whether one of the codes is right; compared in constant time.
    pub(super) fn is_by(&self, secret: &Secret, body: &[u8]) -> bool {
        let expected = code(secret, self.at_s, body);
        self.codes.iter().any(|given| expected.clone().verify_slice(given).is_ok())
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let is_hex = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if is_hex { digits.chunks(2).map(byte).collect() } else { None }
}
