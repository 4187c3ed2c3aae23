//! One form for every way of writing the same words, so that phrases and texts can be compared byte by byte.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Brings a text to the form in which phrases are looked for: words of folded letters, one space between them.
///
/// * Compatibility forms, composed and decomposed forms are made equal (as NFKC does), and case is folded.
/// * `I`, `i`, `İ` and `ı` become the same letter, whatever the language: Turkish is typed with and without the dots,
///   and a phrase then means the same in every table.
/// * Joiners, soft hyphens, variation selectors and direction marks are removed; so is the Devanagari nukta, which
///   writers leave out as often as not. The Bengali one stays: it tells letters apart.
/// * What is neither letter, digit nor a mark on one becomes a space.
///
/// Scripts written without spaces between words (Thai, Chinese, Japanese) give one word per run of letters.
pub fn normalise(text: &str) -> String {
    if text.is_ascii() {
        return words(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
    }
    let mut dotted = false;
    let folded = text.nfkd().filter(|&c| !is_ignored(c)).flat_map(fold).filter(move |&c| {
        let dot_of_i = dotted && c == COMBINING_DOT_ABOVE;
        dotted = c == 'i';
        !dot_of_i
    });
    words(folded.nfc(), text.len())
}

const COMBINING_DOT_ABOVE: char = '\u{0307}';

/// Upper case first, so that `ß` meets `ss`, a final sigma the others, and the dotless i the dotted one.
fn fold(c: char) -> impl Iterator<Item = char> {
    let is_ascii = c.is_ascii();
    let ascii = is_ascii.then(|| c.to_ascii_lowercase());
    let other = (!is_ascii).then(|| c.to_uppercase().flat_map(char::to_lowercase));
    ascii.into_iter().chain(other.into_iter().flatten())
}

/// Whether a character only steers how its neighbours look, or is one that writers leave out.
fn is_ignored(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}' // soft hyphen
        | '\u{034F}' // combining grapheme joiner
        | '\u{093C}' // Devanagari nukta
        | '\u{180B}'..='\u{180F}' // Mongolian variation selectors
        | '\u{200C}'..='\u{200F}' // joiners, direction marks
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206F}'
        | '\u{20E3}' // the keycap around a digit
        | '\u{FE00}'..='\u{FE0F}' // variation selectors
        | '\u{FEFF}' // byte-order mark
        | '\u{E0100}'..='\u{E01EF}'
    )
}

/// Joins runs of letters, digits and the marks that follow them, with one space between runs.
fn words(chars: impl Iterator<Item = char>, bytes: usize) -> String {
    let mut joined = String::with_capacity(bytes);
    let mut inside = false;
    for c in chars {
        let part_of_word = c.is_alphanumeric() || (inside && is_combining_mark(c));
        if part_of_word {
            if !inside && !joined.is_empty() {
                joined.push(' ');
            }
            joined.push(c);
        }
        inside = part_of_word;
    }
    joined
}
