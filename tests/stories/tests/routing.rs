//! How often the starter policy sends real feedback to a department that a careful reader finds right, per language.
//!
//! The texts are no part of this repository: `SEVA_SAMPLE_DATA` names the folder that holds them. `data/routing_labels.tsv`
//! holds the readers' answers, made before the phrases were tuned, with the texts' hashes only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use seva_domain::classify::{Phrases, classify};
use seva_domain::policy::document::{Document, STARTER};
use seva_domain::values::Department;
use sha2::{Digest as _, Sha256};

/// The texts drawn from each file.
const SAMPLE_SIZE: usize = 50;

/// The texts of each sample that readers labelled: its first ones.
const LABELLED_SIZE: usize = 20;

/// The share of routed texts that must be routed right.
const PRECISION_PER_MILLE_MIN: usize = 800;

/// A file of feedback in one language.
struct Source {
    language: &'static str,
    file: &'static str,
    delimiter: u8,
    /// Whether a quote sign encloses fields; if not, it is text.
    quoted: bool,
    text_column: usize,
    /// The column and the values that mark a record as a suggestion, where the file holds other feedback too.
    suggestions: Option<(usize, [&'static str; 2])>,
}

const SOURCES: [Source; 4] = [
    Source {
        language: "bn",
        file: "bengali_restaurant_reviews.tsv",
        delimiter: b'\t',
        quoted: false,
        text_column: 1,
        suggestions: None,
    },
    Source {
        language: "en",
        file: "nhs_feedback_phase1_5k.csv",
        delimiter: b',',
        quoted: true,
        text_column: 3,
        suggestions: Some((4, ["-1", "-2"])),
    },
    Source {
        language: "hi",
        file: "hindi_product_reviews_2500.tsv",
        delimiter: b'\t',
        quoted: false,
        text_column: 0,
        suggestions: None,
    },
    Source {
        language: "tr",
        file: "turkish_amazon_reviews.csv",
        delimiter: b',',
        quoted: true,
        text_column: 0,
        suggestions: None,
    },
];

/// A text of a sample: its hash, its place among the file's data records and itself.
struct Sampled {
    sha256: String,
    row_number: usize,
    text: String,
}

/// The departments that readers accept, by file, row and hash.
type Labels = BTreeMap<(String, usize, String), BTreeSet<String>>;

#[test]
fn four_in_five_texts_the_starter_routes_go_where_a_reader_would_send_them() -> Result<()> {
    let Some(folder) = std::env::var_os("SEVA_SAMPLE_DATA") else {
        eprintln!("SKIPPED: SEVA_SAMPLE_DATA is not set");
        return Ok(());
    };
    let starter = Document::parse(STARTER).map_err(|findings| anyhow::anyhow!("{findings:?}"))?;
    let phrases = Phrases::compile(&starter, 1);
    let labels = labels()?;
    let (mut texts, mut routed) = (0, 0);
    let mut too_low = Vec::new();
    for source in &SOURCES {
        let sample = sample(source, Path::new(&folder))?;
        let (mut labelled_routed, mut right, mut told) = (0, 0, 0);
        for (place, sampled) in sample.iter().enumerate() {
            let classification = classify(&sampled.text, None, &phrases);
            told += usize::from(classification.language.primary() == source.language);
            let department = classification.hit.and_then(|hit| starter.department(&hit));
            let department = department.unwrap_or_else(Department::triage);
            texts += 1;
            routed += usize::from(!department.is_triage());
            if place < LABELLED_SIZE && !department.is_triage() {
                let key = (source.file.to_owned(), sampled.row_number, sampled.sha256.clone());
                let accepted = labels.get(&key).with_context(|| format!("no label for {key:?}"))?;
                labelled_routed += 1;
                right += usize::from(accepted.contains(department.as_str()));
            }
        }
        let per_mille = right * 1_000 / labelled_routed.max(1);
        eprintln!(
            "{}: {right} of {labelled_routed} labelled and routed texts are right ({per_mille} per mille); \
             language told for {told} of {}",
            source.language,
            sample.len()
        );
        if per_mille < PRECISION_PER_MILLE_MIN {
            too_low.push(source.language);
        }
    }
    eprintln!("all: {routed} of {texts} texts routed, {} left to triage", texts - routed);
    ensure!(too_low.is_empty(), "precision below {PRECISION_PER_MILLE_MIN} per mille: {too_low:?}");
    Ok(())
}

#[test]
fn every_label_names_a_department_of_the_starter() -> Result<()> {
    let starter = Document::parse(STARTER).map_err(|findings| anyhow::anyhow!("{findings:?}"))?;
    let labels = labels()?;
    assert_eq!(labels.len(), SOURCES.len() * LABELLED_SIZE);
    for (key, accepted) in &labels {
        ensure!((1..=2).contains(&accepted.len()), "{key:?}");
        for id in accepted {
            ensure!(
                Department::parse(id).is_some_and(|department| starter.has_department(&department)),
                "{key:?}: {id}"
            );
        }
    }
    Ok(())
}

/// The file's distinct texts with the smallest hashes: a sample that nobody chose.
fn sample(source: &Source, folder: &Path) -> Result<Vec<Sampled>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(source.delimiter)
        .quoting(source.quoted)
        .flexible(true)
        .from_path(folder.join(source.file))
        .with_context(|| format!("cannot open {}", source.file))?;
    let mut by_hash = BTreeMap::new();
    for (row_number, record) in reader.records().enumerate() {
        let record = record.with_context(|| format!("{}: record {row_number}", source.file))?;
        let wanted = source
            .suggestions
            .is_none_or(|(column, marks)| record.get(column).is_some_and(|mark| marks.contains(&mark)));
        if let Some(text) = record.get(source.text_column).filter(|_| wanted) {
            let sha256 = hex(&Sha256::digest(text));
            by_hash.entry(sha256.clone()).or_insert(Sampled { sha256, row_number, text: text.to_owned() });
        }
    }
    Ok(by_hash.into_values().take(SAMPLE_SIZE).collect())
}

fn labels() -> Result<Labels> {
    let mut labels = Labels::new();
    for line in include_str!("data/routing_labels.tsv").lines().skip(1) {
        let [file, row_number, sha256, accepted] = line.split('\t').collect::<Vec<_>>()[..] else {
            anyhow::bail!("not four columns: {line}");
        };
        let accepted = accepted.split(',').map(str::to_owned).collect();
        labels.insert((file.to_owned(), row_number.parse()?, sha256.to_owned()), accepted);
    }
    Ok(labels)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
