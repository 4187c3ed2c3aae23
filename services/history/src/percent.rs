//! How a CloudEvents attribute stands in a NATS header: printable ASCII, everything else as `%` and two hexadecimal digits a byte.

use std::fmt::Write as _;

/// The value as a header holds it.
pub(crate) fn encode(value: &str) -> String {
    if value.bytes().all(stays) {
        return value.to_owned();
    }
    let mut encoded = String::with_capacity(3 * value.len());
    for byte in value.bytes() {
        if stays(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

fn stays(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'%')
}

/// The value that a header holds; `None` if it is not UTF-8, or a `%` stands alone.
pub(crate) fn decode(header: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(header.len());
    let mut rest = header.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_header_cannot_hold_is_written_as_bytes() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(encode("100 % \"so\"\r\n"), "100%20%25%20%22so%22%0D%0A");
        assert_eq!(encode("seva/intake:1,~!"), "seva/intake:1,~!");
    }

    #[test]
    fn what_is_no_encoding_is_not_guessed_at() {
        assert_eq!(decode("a%2"), None);
        assert_eq!(decode("a%zz"), None);
        assert_eq!(decode("%FF"), None);
        assert_eq!(decode("%c3%a9").as_deref(), Some("é"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_its_header_is_printable(text in any::<String>()) {
            let header = encode(&text);
            prop_assert!(header.bytes().all(|byte| matches!(byte, b'!'..=b'~')));
            prop_assert_eq!(decode(&header), Some(text));
        }
    }
}
