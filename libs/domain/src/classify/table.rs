//! One phrase table made ready for looking up: which phrase, in the table's order, a text holds first.

use super::normalise::normalise;

/// A phrase in normal form: whole words, the last of which may be only the beginning of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Phrase {
    words: Vec<Box<str>>,
    starred: bool,
}

impl Phrase {
    /// Reads a phrase as the policy's author wrote it; empty where it holds no letter or digit.
    pub(crate) fn read(written: &str) -> Phrase {
        let written = written.trim_end();
        let (stem, starred) = match written.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (written, false),
        };
        Phrase { words: normalise(stem).split_whitespace().map(Box::from).collect(), starred }
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The normal form as one text, star included.
    pub(crate) fn text(&self) -> String {
        self.words.join(" ") + if self.starred { "*" } else { "" }
    }
}

/// Where a phrase stands in its table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// The row's number, from 0.
    pub(crate) row: usize,
    /// The phrase's number within the row, from 0.
    pub(crate) phrase: usize,
}

/// The phrases of one table, found by the word they begin with.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    // Sorted by word, each word once: all words that begin a given word lie on one chain of `shorter`.
    firsts: Vec<First>,
    beginnings: Beginnings,
}

/// How the first words begin, roughly: most words of a text begin otherwise, and need not be looked for.
#[derive(Clone, Debug)]
struct Beginnings(Box<[u64; Beginnings::BITS / 64]>);

impl Beginnings {
    const BITS: usize = 4_096;

    fn of(firsts: &[First]) -> Beginnings {
        let mut bits = Box::new([0; Beginnings::BITS / 64]);
        for first in firsts {
            let place = Beginnings::places(&first.word)[usize::from(first.word.chars().nth(1).is_some())];
            bits[place / 64] |= 1 << (place % 64);
        }
        Beginnings(bits)
    }

    /// Where words stand that begin with this one's first letter, and with its first two.
    fn places(word: &str) -> [usize; 2] {
        let mut letters = word.chars().map(|letter| letter as usize);
        let (first, second) = (letters.next().unwrap_or(0), letters.next().unwrap_or(0));
        [first, first * 31 + second + 1].map(|place| place % Beginnings::BITS)
    }

    /// Whether a first word may begin this word.
    fn may_begin(&self, word: &str) -> bool {
        Beginnings::places(word).iter().any(|place| self.0[place / 64] & (1 << (place % 64)) != 0)
    }
}

#[derive(Clone, Debug)]
struct First {
    word: Box<str>,
    /// The longest other first word that this one begins with.
    shorter: Option<usize>,
    /// In the table's order.
    phrases: Vec<(Place, Phrase)>,
}

impl Table {
    /// Makes the index of these phrases; empty ones are left out.
    pub(crate) fn index(phrases: impl IntoIterator<Item = (Place, Phrase)>) -> Table {
        let mut all: Vec<(Place, Phrase)> =
            phrases.into_iter().filter(|(_, phrase)| !phrase.is_empty()).collect();
        all.sort_by(|(a, left), (b, right)| left.words[0].cmp(&right.words[0]).then(a.cmp(b)));
        let mut firsts: Vec<First> = Vec::new();
        for (place, phrase) in all {
            match firsts.last_mut() {
                Some(last) if last.word == phrase.words[0] => last.phrases.push((place, phrase)),
                Some(_) | None => {
                    let word = phrase.words[0].clone();
                    let shorter = longest_beginning(&firsts, firsts.len().checked_sub(1), &word);
                    firsts.push(First { word, shorter, phrases: vec![(place, phrase)] });
                }
            }
        }
        let beginnings = Beginnings::of(&firsts);
        Table { firsts, beginnings }
    }

    /// The first place, in the table's order, whose phrase stands in these words.
    pub(crate) fn first_in(&self, words: &[&str]) -> Option<Place> {
        self.first(words, false)
    }

    /// The first place whose phrase stands in every text that holds the phrase given.
    pub(crate) fn first_within(&self, phrase: &Phrase) -> Option<Place> {
        let words: Vec<&str> = phrase.words.iter().map(|word| &**word).collect();
        self.first(&words, phrase.starred)
    }

    /// `open`: the last word given is only the beginning of one.
    fn first(&self, words: &[&str], open: bool) -> Option<Place> {
        let mut best: Option<Place> = None;
        let may_begin = |start: &usize| self.beginnings.may_begin(words[*start]);
        for start in (0..words.len()).filter(may_begin) {
            let mut at = self.firsts.partition_point(|first| *first.word <= *words[start]).checked_sub(1);
            at = longest_beginning(&self.firsts, at, words[start]);
            while let Some(index) = at {
                let first = &self.firsts[index];
                let better =
                    first.phrases.iter().take_while(|(place, _)| best.is_none_or(|best| *place < best));
                for (place, phrase) in better {
                    if stands_at(phrase, &words[start..], open) {
                        best = Some(*place);
                        break;
                    }
                }
                at = first.shorter;
            }
        }
        best
    }
}

/// The longest of these sorted words that begins the word given, where `at` is the last one not after it.
fn longest_beginning(firsts: &[First], mut at: Option<usize>, word: &str) -> Option<usize> {
    while let Some(index) = at {
        if word.starts_with(&*firsts[index].word) {
            return at;
        }
        at = firsts[index].shorter;
    }
    None
}

/// Whether the words begin with the phrase.
fn stands_at(phrase: &Phrase, words: &[&str], open: bool) -> bool {
    let Some((last, before)) = phrase.words.split_last() else { return false };
    if words.len() < phrase.words.len() || before.iter().zip(words).any(|(wanted, word)| **wanted != **word) {
        return false;
    }
    let word = words[before.len()];
    if phrase.starred {
        return word.starts_with(&**last);
    }
    let word_is_open = open && words.len() == phrase.words.len();
    *word == **last && !word_is_open
}
