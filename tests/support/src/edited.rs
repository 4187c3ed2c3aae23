//! Bytes that are nearly right: what decoders are tried with.

/// One change: where (from the beginning again, past the end), how, and with which byte.
pub type Edit = (u16, u8, u8);

/// Makes changes, one after the other.
pub fn edited(original: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for (at, how, byte) in edits {
        let at = usize::from(*at) % (bytes.len() + 1);
        match how % 6 {
            0 => bytes.insert(at, *byte),
            1 => bytes.truncate(at),
            // A stretch of up to 255 bytes goes away, or stands there twice.
            2 => drop(bytes.drain(at..(at + usize::from(*byte)).min(bytes.len()))),
            3 => bytes.extend_from_within(at..(at + usize::from(*byte)).min(bytes.len())),
            4 => bytes.get_mut(at).into_iter().for_each(|there| *there ^= 1 << (byte % 8)),
            _ => bytes.get_mut(at).into_iter().for_each(|there| *there = *byte),
        }
    }
    bytes
}

#[test]
fn edits_change_what_they_say_and_reach_past_no_end() {
    assert_eq!(edited(b"abc", &[(1, 0, b'x')]), b"axbc");
    assert_eq!(edited(b"abc", &[(2, 1, 0)]), b"ab");
    assert_eq!(edited(b"abc", &[(1, 2, 9)]), b"a");
    assert_eq!(edited(b"abc", &[(1, 3, 9)]), b"abcbc");
    assert_eq!(edited(b"abc", &[(0, 4, 1), (1, 5, b'y')]), b"cyc");
    assert_eq!(edited(b"", &[(u16::MAX, 2, 9), (u16::MAX, 4, 9), (9, 0, b'z')]), b"z");
}
