//! Which language a text is probably in: by its script, and for Latin script by the small words of seven languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::normalise::normalise;
use crate::values::Language;

/// Tells a text's language, `und` where there is no evidence or two languages have as much.
///
/// A script stands for the language most written in it here: Devanagari for Hindi, Bengali for Bengali, Cyrillic for
/// Russian. Words in Latin letters inside another script (names of products) count little.
pub fn detect(text: &str) -> Language {
    let normal = normalise(text);
    let words: Vec<&str> = normal.split_whitespace().collect();
    of_words(text, &words)
}

/// As `detect`, for a caller who has the words of the normalised text already.
pub(super) fn of_words(text: &str, words: &[&str]) -> Language {
    let tag = if text.is_ascii() {
        by_words(text, words)
    } else {
        by_script(text).or_else(|| by_words(text, words))
    };
    tag.and_then(Language::parse).unwrap_or_else(Language::undetermined)
}

/// First and last letter of each script that stands for one language.
const SCRIPTS: &[(char, char, &str)] = &[
    ('\u{0370}', '\u{03FF}', "el"),
    ('\u{0400}', '\u{052F}', "ru"),
    ('\u{0530}', '\u{058F}', "hy"),
    ('\u{0590}', '\u{05FF}', "he"),
    ('\u{0600}', '\u{06FF}', "ar"),
    ('\u{0900}', '\u{0963}', "hi"),
    ('\u{0966}', '\u{097F}', "hi"),
    ('\u{0980}', '\u{09FF}', "bn"),
    ('\u{0A00}', '\u{0A7F}', "pa"),
    ('\u{0A80}', '\u{0AFF}', "gu"),
    ('\u{0B00}', '\u{0B7F}', "or"),
    ('\u{0B80}', '\u{0BFF}', "ta"),
    ('\u{0C00}', '\u{0C7F}', "te"),
    ('\u{0C80}', '\u{0CFF}', "kn"),
    ('\u{0D00}', '\u{0D7F}', "ml"),
    ('\u{0D80}', '\u{0DFF}', "si"),
    ('\u{0E00}', '\u{0E7F}', "th"),
    ('\u{10A0}', '\u{10FF}', "ka"),
    ('\u{3040}', '\u{30FF}', "ja"),
    ('\u{4E00}', '\u{9FFF}', "zh"),
    ('\u{AC00}', '\u{D7AF}', "ko"),
];

/// How many Latin letters weigh as much as one of another script.
const LATIN_PER_OTHER: usize = 3;

/// The language of the script most used, unless the text is mostly Latin.
fn by_script(text: &str) -> Option<&'static str> {
    let mut latin = 0_usize;
    let mut letters = vec![0_usize; SCRIPTS.len()];
    for c in text.chars() {
        if c.is_ascii_alphabetic() || matches!(c, '\u{00C0}'..='\u{024F}') {
            latin += 1;
        } else if let Some(script) = SCRIPTS.iter().position(|(first, last, _)| (*first..=*last).contains(&c))
        {
            letters[script] += 1;
        }
    }
    // Japanese mixes kana with the letters of Chinese: a few kana decide.
    let japanese = SCRIPTS.iter().zip(&letters).any(|((_, _, tag), count)| *tag == "ja" && *count > 0);
    let (most, (_, _, tag)) = letters.iter().zip(SCRIPTS).max_by_key(|(count, _)| **count)?;
    let enough = *most > 0 && most.saturating_mul(LATIN_PER_OTHER) >= latin;
    let tag = if japanese && *tag == "zh" { "ja" } else { tag };
    enough.then_some(tag)
}

/// Small words that are frequent in one language and rare in the others, in normal form and sorted.
#[rustfmt::skip]
pub(super) const SMALL_WORDS: &[(&str, &[&str])] = &[
    ("de", &[
        "aber", "als", "am", "auch", "auf", "aus", "bei", "bitte", "danke", "das", "dass", "dem", "den", "der",
        "des", "die", "ein", "eine", "einen", "einer", "es", "für", "gut", "habe", "haben", "hat", "ich", "ihr",
        "im", "immer", "ist", "kein", "keine", "lieferung", "mein", "meine", "mich", "mit", "nach", "nicht", "noch",
        "nur", "oder", "schlecht", "sehr", "sich", "sie", "sind", "und", "uns", "vom", "von", "war", "was", "wenn",
        "werden", "wie", "wir", "wird", "wurde", "zu", "zum", "zur", "über",
    ]),
    ("en", &[
        "a", "about", "after", "again", "all", "also", "always", "am", "an", "and", "any", "are", "as", "at", "be",
        "because", "been", "before", "being", "better", "but", "by", "can", "could", "did", "do", "don", "easier",
        "everything", "for", "from", "get", "good", "great", "had", "has", "have", "he", "help", "her", "his", "how",
        "i", "if", "in", "is", "it", "just", "keep", "like", "lot", "me", "more", "my", "need", "never", "nice",
        "no", "not", "nothing", "of", "on", "only", "or", "our", "please", "really", "she", "should", "so", "some",
        "sooner", "still", "than", "that", "the", "their", "them", "then", "there", "they", "thing", "this", "to",
        "too", "us", "very", "was", "we", "were", "what", "when", "which", "why", "will", "with", "would", "you",
        "your",
    ]),
    ("es", &[
        "al", "aunque", "bien", "bueno", "como", "con", "cuando", "del", "el", "ella", "en", "era", "es", "esta",
        "estaba", "este", "esto", "está", "fue", "fueron", "gracias", "ha", "hasta", "hay", "la", "las", "llegó",
        "lo", "los", "me", "mi", "muy", "más", "nada", "ni", "no", "nos", "para", "pero", "por", "porque",
        "producto", "que", "se", "sin", "sobre", "son", "su", "sus", "también", "todo", "un", "una", "y", "ya",
    ]),
    ("fr", &[
        "alors", "au", "aussi", "aux", "avec", "avons", "bien", "c", "ce", "cette", "dans", "de", "des", "du",
        "elle", "en", "est", "et", "il", "j", "je", "l", "la", "le", "les", "leur", "livraison", "mais", "merci",
        "mon", "ne", "nous", "on", "ou", "par", "pas", "plus", "pour", "produit", "qu", "que", "qui", "service",
        "sont", "sur", "trop", "très", "un", "une", "vous", "à", "était", "été",
    ]),
    ("it", &[
        "al", "alla", "anche", "arrivato", "buono", "che", "chi", "ci", "come", "con", "consegna", "da", "dal",
        "dei", "del", "della", "delle", "di", "dopo", "e", "era", "gli", "grazie", "ha", "ho", "i", "il", "in", "io",
        "la", "le", "lo", "ma", "mi", "molto", "nel", "nella", "non", "ordine", "ottimo", "per", "perché", "più",
        "prodotto", "questa", "questo", "sempre", "servizio", "si", "sono", "stata", "stato", "sulla", "tutto", "un",
        "una", "è",
    ]),
    ("pt", &[
        "a", "ainda", "antes", "ao", "as", "até", "bem", "bom", "chegou", "com", "como", "comprei", "da", "das",
        "de", "do", "dos", "e", "ela", "ele", "em", "entrega", "estou", "está", "eu", "foi", "foram", "isso", "já",
        "mais", "mas", "me", "mesmo", "meu", "minha", "muito", "na", "nada", "no", "nos", "não", "o", "obrigado",
        "os", "ou", "para", "pelo", "por", "porque", "prazo", "produto", "quando", "que", "recebi", "se", "sem",
        "ser", "seu", "sua", "só", "também", "tem", "um", "uma", "veio", "é",
    ]),
    ("tr", &[
        "aldim", "ama", "ancak", "bana", "başka", "ben", "bence", "beni", "benim", "bi", "bir", "biraz", "bu",
        "bunu", "da", "daha", "de", "değil", "diye", "en", "fakat", "gayet", "geldi", "gibi", "güzel", "hemen",
        "herkese", "hiç", "ile", "ise", "iyi", "için", "kadar", "kaldim", "kargo", "ki", "kötü", "memnun", "mi",
        "mu", "mü", "ne", "o", "olarak", "oldu", "olduğu", "olmasi", "olsa", "sadece", "siz", "sonra", "tavsiye",
        "teşekkürler", "tüm", "var", "ve", "veya", "ya", "yok", "zaten", "çok", "önce", "ürün", "ürünü", "şey",
    ]),
];

/// The languages, by their place in [`SMALL_WORDS`], that each small word votes for: one look-up a word instead of one a language.
static VOTERS: LazyLock<BTreeMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut voters: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (language, (_, small)) in SMALL_WORDS.iter().enumerate() {
        small.iter().for_each(|word| voters.entry(word).or_default().push(language));
    }
    voters
});

/// Letters of one language and what each is worth in small words.
const LETTERS: &[(&str, &[char], usize)] = &[
    ("de", &['ß'], 3),
    ("de", &['ä'], 1),
    ("es", &['ñ', '¿', '¡'], 3),
    ("fr", &['ê', 'œ', 'è', 'û'], 1),
    ("it", &['ò', 'ù', 'ì'], 1),
    ("pt", &['ã', 'õ'], 3),
    ("tr", &['ğ', 'ı', 'ş', 'İ'], 3),
];

/// The language with the most votes, if one alone has them.
fn by_words(text: &str, words: &[&str]) -> Option<&'static str> {
    let mut votes = [0_usize; SMALL_WORDS.len()];
    for languages in words.iter().filter_map(|word| VOTERS.get(word)) {
        languages.iter().for_each(|language| votes[*language] += 1);
    }
    if !text.is_ascii() {
        for c in text.nfc().flat_map(|c| if c == 'İ' { vec![c] } else { c.to_lowercase().collect() }) {
            for (tag, letters, worth) in LETTERS {
                let voter = SMALL_WORDS.iter().position(|(language, _)| language == tag);
                if let Some(voter) = voter.filter(|_| !c.is_ascii() && letters.contains(&c)) {
                    votes[voter] += worth;
                }
            }
        }
    }
    let most = votes.iter().copied().max().filter(|most| *most > 0)?;
    let mut winners = SMALL_WORDS.iter().zip(votes).filter(|(_, votes)| *votes == most);
    let ((tag, _), _) = winners.next()?;
    winners.next().is_none().then_some(tag)
}
