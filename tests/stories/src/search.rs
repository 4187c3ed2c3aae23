//! Looking for words in bytes, however they may have been written there.

/// The two alphabets of base64: they differ in the last two letters.
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How much is shown around what was found, in bytes.
const CONTEXT: usize = 48;

/// Words in every form in which bytes may hold them.
pub struct Search {
    /// The name of the form, and its bytes.
    forms: Vec<(String, Vec<u8>)>,
    /// Which forms begin with these two bytes.
    begins: Vec<Vec<usize>>,
}

/// A word that was found: in which form, at which byte, and what stands around it.
#[derive(Clone, Debug)]
pub struct Found {
    pub form: String,
    pub at: usize,
    pub context: String,
}

impl Search {
    /// Looks for these words.
    pub fn of(words: &[&str]) -> Search {
        let mut forms: Vec<(String, Vec<u8>)> = Vec::new();
        for word in words {
            for cased in [(*word).to_owned(), word.to_lowercase(), word.to_uppercase()] {
                for (form, bytes) in written(&cased) {
                    if !forms.iter().any(|(_, known)| *known == bytes) {
                        forms.push((format!("{cased} as {form}"), bytes));
                    }
                }
            }
        }
        Search::of_forms(forms)
    }

    fn of_forms(forms: Vec<(String, Vec<u8>)>) -> Search {
        let mut begins = vec![Vec::new(); 1 << 16];
        for (n, (_, bytes)) in forms.iter().enumerate() {
            begins[two(bytes)].push(n);
        }
        Search { forms, begins }
    }

    /// Looks for these bytes as they are.
    pub fn of_bytes(all: impl IntoIterator<Item = (String, Vec<u8>)>) -> Search {
        let forms: Vec<(String, Vec<u8>)> = all.into_iter().filter(|(_, bytes)| bytes.len() > 1).collect();
        Search::of_forms(forms)
    }

    /// The first place where one of the words stands.
    pub fn find(&self, bytes: &[u8]) -> Option<Found> {
        for at in 0..bytes.len().saturating_sub(1) {
            let candidates = self.begins[two(&bytes[at..])].iter().map(|n| &self.forms[*n]);
            if let Some((form, _)) = candidates.into_iter().find(|(_, form)| bytes[at..].starts_with(form)) {
                let context = &bytes[at.saturating_sub(CONTEXT)..bytes.len().min(at + CONTEXT)];
                let context = String::from_utf8_lossy(context).into_owned();
                return Some(Found { form: form.clone(), at, context });
            }
        }
        None
    }

    /// Every form, for the search to be tried on.
    pub fn forms(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.forms.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }
}

fn two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// A word in every form: the bytes that any text around it leaves as they are.
fn written(word: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = word.as_bytes();
    let each = |write: &dyn Fn(u8) -> String| -> Vec<u8> {
        bytes.iter().map(|byte| write(*byte)).collect::<String>().into_bytes()
    };
    let units: Vec<u16> = word.encode_utf16().collect();
    let escaped = |upper: bool| {
        let mut text = String::new();
        for unit in &units {
            match (u8::try_from(*unit), upper) {
                (Ok(byte), _) if byte.is_ascii() => text.push(char::from(byte)),
                (_, true) => text.push_str(&format!("\\u{unit:04X}")),
                (_, false) => text.push_str(&format!("\\u{unit:04x}")),
            }
        }
        text.into_bytes()
    };
    let mut forms = vec![
        ("UTF-8".to_owned(), bytes.to_vec()),
        ("JSON's escapes".to_owned(), escaped(false)),
        ("JSON's escapes in capitals".to_owned(), escaped(true)),
        ("hexadecimal digits".to_owned(), each(&|byte| format!("{byte:02x}"))),
        ("hexadecimal digits in capitals".to_owned(), each(&|byte| format!("{byte:02X}"))),
        ("percent signs".to_owned(), each(&|byte| format!("%{byte:02X}"))),
        ("escaped bytes".to_owned(), each(&|byte| format!("\\x{byte:02x}"))),
        ("a list of numbers".to_owned(), {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            numbers.join(", ").into_bytes()
        }),
        ("UTF-16, low byte first".to_owned(), units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("UTF-16, high byte first".to_owned(), units.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
    ];
    for before in 0..3 {
        for (alphabet, name) in [(STANDARD, "base64"), (URL_SAFE, "base64 for URLs")] {
            forms.push((
                format!("{name} after {before} bytes more than threes"),
                base64(bytes, before, alphabet),
            ));
        }
    }
    forms
}

/// The letters of base64 that follow from the bytes alone, where so many bytes stand before them.
fn base64(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bit = |n: usize| {
        let byte = bytes.get((n / 8).wrapping_sub(before))?;
        Some(byte >> (7 - n % 8) & 1)
    };
    let letters = (before + bytes.len()) * 8 / 6;
    let letter = |n: usize| {
        let value = (0..6).try_fold(0_u8, |value, at| Some(value << 1 | bit(n * 6 + at)?))?;
        Some(alphabet[usize::from(value)])
    };
    (0..letters).filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_every_form_wherever_it_stands() {
        let search = Search::of(&["Zwordlike", "झङठढळ"]);
        for (name, form) in search.forms() {
            for before in 0..4 {
                let bytes = [vec![b'.'; before].as_slice(), form, b"..."].concat();
                assert!(search.find(&bytes).is_some(), "{name}, {before} before it");
            }
        }
        assert!(search.find(b"Zwordlik and other words, e3dvcmRsaWs=, zword like").is_none());
    }

    #[test]
    fn base64_is_known_by_its_middle() {
        // What `printf '%s' Zwordlike | base64` and the same with one and two bytes more before it write.
        let search = Search::of(&["Zwordlike"]);
        for text in ["WndvcmRsaWtl", "LlpXd29yZGxpa2U=", "Li5ad29yZGxpa2U="] {
            let expected = !text.starts_with("LlpX");
            assert_eq!(search.find(text.as_bytes()).is_some(), expected, "{text}");
        }
        assert!(search.find(b"Llp3b3JkbGlrZQ==").is_some());
    }
}
