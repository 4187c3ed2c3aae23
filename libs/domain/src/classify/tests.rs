//! How texts are brought to one form, told apart by language and matched with phrases, told as stories.

use proptest::prelude::*;

use super::language::SMALL_WORDS;
use super::{Phrase, Phrases, Place, classify, detect, normalise};
use crate::policy::document::{CaseRules, DepartmentEntry, Document, Routing, Row, STARTER, Table};
use crate::policy::escalation::EscalationRules;
use crate::policy::promise::PromiseRules;
use crate::policy::refund::RefundRules;
use crate::values::{Hit, Language};

/// A row's id and phrases.
type Entry<'a> = (&'a str, &'a [&'a str]);

/// A policy with these tables, each of a language and rows of an id and phrases.
fn policy(tables: &[(&str, &[Entry<'_>])]) -> Phrases {
    let rule = || "A rule.".to_owned();
    let tables = tables.iter().map(|(language, rows)| {
        let rows = rows.iter().map(|(id, phrases)| Row {
            id: (*id).to_owned(),
            department: "product".to_owned(),
            phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        });
        Table { language: (*language).to_owned(), rule: rule(), rows: rows.collect() }
    });
    let document = Document {
        title: "Test policy".to_owned(),
        case: CaseRules { rule: rule(), join_within_days: 14, confirm_silence_days: 14 },
        promise: PromiseRules::default(),
        escalation: EscalationRules::default(),
        refund: RefundRules::default(),
        routing: Routing {
            rule: rule(),
            departments: vec![DepartmentEntry { id: "product".to_owned(), name: "Product".to_owned() }],
            tables: tables.collect(),
        },
    };
    assert_eq!(document.check(), []);
    Phrases::compile(&document, 7)
}

fn language(tag: &str) -> Language {
    Language::parse(tag).unwrap()
}

/// The hit as `table/row/phrase`, for a text whose language is given.
fn found(phrases: &Phrases, tag: &str, text: &str) -> Option<String> {
    let hit = classify(text, Some(&language(tag)), phrases).hit;
    hit.map(|Hit { table, row, phrase }| format!("{table}/{row}/{phrase}"))
}

#[track_caller]
fn same(left: &str, right: &str) {
    assert_eq!(normalise(left), normalise(right));
}

#[test]
fn case_punctuation_and_white_space_make_no_difference() {
    assert_eq!(normalise("  The\tBOX,\r\n\n was --- open!!  "), "the box was open");
    same("Straße", "STRASSE");
    same("ΟΔΟΣ", "οδος");
    same("don’t", "don't");
    assert_eq!(normalise(" \u{1F44D} !? "), "");
}

#[test]
fn turkish_dotted_and_dotless_i_are_one_letter_in_every_case() {
    for written in ["İADE", "iade", "IADE", "ıade", "I\u{0307}ADE", "i\u{0307}ade"] {
        assert_eq!(normalise(written), "iade", "{written}");
    }
    let phrases = policy(&[("tr", &[("returns", &["iade*"]), ("broken", &["kırık"])])]);
    assert_eq!(found(&phrases, "tr", "ÜRÜNÜ İADE ETTİM").unwrap(), "tr/returns/iade*");
    assert_eq!(found(&phrases, "tr", "urun iadesi").unwrap(), "tr/returns/iade*");
    assert_eq!(found(&phrases, "tr", "KIRIK geldi").unwrap(), "tr/broken/kırık");
    assert_eq!(found(&phrases, "tr", "kirik geldi").unwrap(), "tr/broken/kırık");
}

#[test]
fn composed_and_decomposed_forms_are_equal() {
    same("café", "cafe\u{0301}");
    same("şikâyet", "s\u{0327}ika\u{0302}yet");
    same("\u{0BCA}", "\u{0BC6}\u{0BBE}");
    same("কো", "ক\u{09C7}\u{09BE}");
    same("ﬁne ＷＩＦＩ", "fine wifi");
}

#[test]
fn nukta_letters_are_equal_composed_decomposed_and_in_hindi_left_out() {
    same("\u{095E}ोन", "फ\u{093C}ोन");
    same("फ़ोन", "फोन");
    same("\u{09AF}\u{09BC}", "\u{09DF}");
    same("\u{09DC}", "\u{09A1}\u{09BC}");
    assert_ne!(normalise("\u{09DC}"), normalise("\u{09A1}"), "in Bengali the nukta tells letters apart");
}

#[test]
fn joiners_soft_hyphens_and_variation_selectors_make_no_difference() {
    same("स्‍क्रीन", "स्क्रीन");
    same("র\u{200C}্যাম", "র্যাম");
    same("pack\u{00AD}aging", "packaging");
    same("\u{FEFF}wi\u{2060}fi\u{FE0F}", "wifi");
}

#[test]
fn combining_marks_are_part_of_words() {
    assert_eq!(normalise("बैटरी, ख़राब।"), "बैटरी खराब");
    let phrases = policy(&[("hi", &[("box", &["डिब"])]), ("ta", &[("price", &["விலை"])])]);
    assert_eq!(found(&phrases, "hi", "डिब्बा टूटा"), None, "a mark goes on, so the word does");
    assert_eq!(found(&phrases, "hi", "डिब टूटा").unwrap(), "hi/box/डिब");
    assert_eq!(found(&phrases, "ta", "விலையில் மாற்றம்"), None);
    assert_eq!(found(&phrases, "ta", "விலை, அதிகம்!").unwrap(), "ta/price/விலை");
}

#[test]
fn the_first_row_wins_and_in_it_the_first_phrase_wherever_they_stand_in_the_text() {
    let phrases = policy(&[("en", &[("one", &["refund", "my bill"]), ("two", &["late", "bill"])])]);
    assert_eq!(found(&phrases, "en", "late again, and the bill, and no refund").unwrap(), "en/one/refund");
    assert_eq!(found(&phrases, "en", "late: my bill came, no refund").unwrap(), "en/one/refund");
    assert_eq!(found(&phrases, "en", "late: my bill came").unwrap(), "en/one/my bill");
    assert_eq!(found(&phrases, "en", "a bill, late").unwrap(), "en/two/late");
}

#[test]
fn phrases_are_found_as_whole_words_only() {
    let phrases = policy(&[("en", &[("app", &["app", "pick up the phone"])])]);
    assert_eq!(found(&phrases, "en", "happy with the apple"), None);
    assert_eq!(found(&phrases, "en", "The App's slow").unwrap(), "en/app/app");
    assert_eq!(found(&phrases, "en", "please pick up -- the Phone!").unwrap(), "en/app/pick up the phone");
    assert_eq!(found(&phrases, "en", "pick up the"), None);
}

#[test]
fn a_star_lets_the_last_word_of_a_phrase_go_on() {
    let phrases = policy(&[("tr", &[("late", &["geç gel*"]), ("courier", &["kargo*", "kargola*", "kar"])])]);
    assert_eq!(found(&phrases, "tr", "çok geç geldi").unwrap(), "tr/late/geç gel*");
    assert_eq!(found(&phrases, "tr", "geç gel").unwrap(), "tr/late/geç gel*");
    assert_eq!(found(&phrases, "tr", "geçti geldi"), None, "only the last word goes on");
    assert_eq!(found(&phrases, "tr", "kargolanmadı").unwrap(), "tr/courier/kargo*");
    assert_eq!(found(&phrases, "tr", "kar yağdı").unwrap(), "tr/courier/kar");
    assert_eq!(found(&phrases, "tr", "karlı"), None);
}

#[test]
fn a_text_that_no_phrase_stands_in_gives_no_hit() {
    let phrases = policy(&[("en", &[("late", &["late"])])]);
    let classification = classify("Nothing to report, thank you", None, &phrases);
    assert_eq!(classification.hit, None);
    assert_eq!(classification.policy, 7);
    assert_eq!(classification.language, language("en"));
    assert_eq!(classify("", None, &phrases).hit, None);
}

#[test]
fn the_languages_own_table_is_asked_before_any_and_no_other_is() {
    let phrases = policy(&[
        ("any", &[("any", &["refund", "wifi"])]),
        ("pt", &[("pt", &["refund", "atraso"])]),
        ("en", &[("en", &["late"])]),
    ]);
    assert_eq!(found(&phrases, "pt-BR", "refund").unwrap(), "pt/pt/refund");
    assert_eq!(found(&phrases, "pt", "wifi").unwrap(), "any/any/wifi");
    assert_eq!(found(&phrases, "sw", "wifi, atraso").unwrap(), "any/any/wifi");
    assert_eq!(found(&phrases, "sw", "atraso"), None);
}

#[test]
fn where_the_language_is_unknown_all_tables_are_asked_in_their_order() {
    let phrases = policy(&[("tr", &[("tr", &["zeplin"])]), ("en", &[("en", &["airship", "zeplin"])])]);
    let unknown = classify("Zeplin!", None, &phrases);
    assert_eq!(unknown.language, Language::undetermined());
    assert_eq!(unknown.hit.unwrap().table, "tr");
    assert_eq!(found(&phrases, "und", "airship").unwrap(), "en/en/airship");
}

#[test]
fn a_given_language_is_kept_and_an_unknown_one_is_detected() {
    let phrases = policy(&[]);
    let text = "The parcel was late and nobody told us";
    assert_eq!(classify(text, Some(&language("tr")), &phrases).language, language("tr"));
    assert_eq!(classify(text, Some(&Language::undetermined()), &phrases).language, language("en"));
    assert_eq!(classify(text, None, &phrases).language, language("en"));
}

#[test]
fn languages_are_told_by_script_and_by_small_words() {
    for (tag, text) in [
        ("bn", "খাবার ভাল ছিল না"),
        ("de", "Das Paket ist leider nicht angekommen"),
        ("en", "Could you make the box easier to open?"),
        ("es", "El paquete llegó tarde y nadie me avisó"),
        ("fr", "Le colis est arrivé trop tard"),
        ("hi", "नया Samsung Galaxy फोन अच्छा है"),
        ("it", "Il pacco non è ancora arrivato"),
        ("pt", "Não recebi o produto até agora"),
        ("ru", "Посылка пришла поздно"),
        ("ta", "பேட்டரி விரைவில் தீர்ந்துவிடுகிறது"),
        ("tr", "Ürün çok geç geldi ve kutusu ezikti"),
        ("tr", "kargo cok gec geldi ama urun iyi"),
        ("und", "12345 !!"),
        ("und", "wifi"),
        ("und", ""),
    ] {
        assert_eq!(detect(text).as_str(), tag, "{text}");
    }
}

#[test]
fn a_word_of_another_script_does_not_change_the_language() {
    assert_eq!(detect("The label says नमस्ते and that is all I could read on the box"), language("en"));
}

#[test]
fn the_small_words_are_sorted_and_in_normal_form() {
    for (tag, words) in SMALL_WORDS {
        assert!(words.is_sorted(), "{tag}");
        for word in *words {
            assert_eq!(normalise(word), **word, "{tag}");
        }
    }
}

#[test]
fn normalising_twice_changes_nothing_more() {
    for text in ["İ ı ß ﬁ ½ ´ ZW\u{200D}J", "क़ ড় ொ é \u{0301}x", "Ünlü ŞEHİR — ΑΣ ς", "1️⃣ ℡ ﷺ"]
    {
        let once = normalise(text);
        assert_eq!(normalise(&once), once, "{text}");
    }
}

#[test]
fn the_starter_routes_everyday_complaints_in_its_languages() {
    let starter = Document::parse(STARTER).unwrap();
    let phrases = Phrases::compile(&starter, 1);
    for (department, text) in [
        ("billing", "I was charged twice, please refund me"),
        ("billing", "İADE EDİLEN PARAMI GERİ ALAMADIM"),
        ("billing", "आपने अभी तक मेरा रिफंड नहीं दिया है"),
        ("delivery", "The parcel came three days late"),
        ("delivery", "டெலிவரி மிகவும் தாமதம்"),
        ("delivery", "Kargo çok geç geldi"),
        ("delivery", "ডেলিভারি অনেক দেরিতে হয়েছে"),
        ("marketing", "Stop sending me your newsletter"),
        ("marketing", "आपका विज्ञापन गलत है"),
        ("packaging", "The box is impossible to open"),
        ("packaging", "Paketleme çok özensizdi"),
        ("packaging", "பேக்கேஜிங் சரியில்லை"),
        ("product", "The battery dies within a day"),
        ("product", "फोन की बैटरी जल्दी खत्म हो जाती है"),
        ("product", "খাবার সুস্বাদু ছিল"),
        ("service", "The lady at reception was rude to me"),
        ("service", "ஊழியர்கள் மிகவும் கனிவானவர்கள்"),
        ("service", "Müşteri hizmetleri telefonu açmıyor"),
        ("service", "O atendimento foi péssimo"),
        ("service", "Il servizio clienti non risponde"),
    ] {
        let hit = classify(text, None, &phrases).hit.unwrap_or_else(|| panic!("no hit: {text}"));
        assert_eq!(starter.department(&hit).unwrap().as_str(), department, "{text}: {hit:?}");
    }
    assert_eq!(classify("Nothing, thank you.", None, &phrases).hit, None);
}

#[test]
fn a_very_long_text_is_classified_like_a_short_one() {
    let phrases = Phrases::compile(&Document::parse(STARTER).unwrap(), 1);
    let long = format!("{} refund", "the nurse was kind ".repeat(1_000));
    assert_eq!(classify(&long, None, &phrases).hit.unwrap().phrase, "refund*");
}

/// Words that begin one another, in two scripts.
const WORDS: [&str; 8] = ["a", "ab", "abc", "b", "ba", "\u{905}", "\u{905}\u{92c}", "\u{905}\u{92c}\u{915}"];

fn some_words(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(WORDS.as_slice()), count)
}

/// Whether a phrase stands in a text, found by trying every place.
fn stands_somewhere(phrase: &[&str], starred: bool, text: &[&str]) -> bool {
    text.windows(phrase.len()).any(|words| {
        let (last, before) = (phrase.len() - 1, &words[..phrase.len() - 1]);
        let ends = if starred { words[last].starts_with(phrase[last]) } else { words[last] == phrase[last] };
        ends && before == &phrase[..last]
    })
}

proptest! {
    #[test]
    fn the_phrase_found_is_the_first_that_stands_anywhere(
        phrases in prop::collection::vec((some_words(1..4), any::<bool>()), 1..6),
        text in some_words(1..8),
    ) {
        let written = |(words, starred): &(Vec<&str>, bool)| words.join(" ") + if *starred { "*" } else { "" };
        let placed = (0..).zip(&phrases).map(|(row, phrase)| (Place { row, phrase: 0 }, Phrase::read(&written(phrase))));
        let table = super::Table::index(placed);
        let expected = phrases.iter().position(|(words, starred)| stands_somewhere(words, *starred, &text));
        prop_assert_eq!(table.first_in(&text).map(|place| place.row), expected);
    }
}
