//! One key, one refund, within what was captured.

use super::*;

const NOW_MS: i64 = 1_000;

fn order(key: &str, amount_minor: i64) -> Order {
    Order { key: key.to_owned(), charge: "ch_1".to_owned(), amount_minor, currency: "EUR".to_owned() }
}

fn captured(amount_minor: i64, currency: &str) -> Book {
    let mut book = Book::default();
    book.apply(Entry::Captured { charge: "ch_1".to_owned(), amount_minor, currency: currency.to_owned() });
    book
}

/// Instructs, and answers what the refund came to at once.
fn instruct(book: &mut Book, order: Order, how: Option<&Behaviour>) -> Outcome {
    let key = order.key.clone();
    let Taken::New(entry) = book.instruct(order, how, NOW_MS) else { panic!("{key} is known") };
    book.apply(entry);
    book.by_key(&key).unwrap().now.clone()
}

fn failed(code: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned() }
}

#[test]
fn a_key_stands_for_one_body_for_ever() {
    let mut book = Book::default();
    assert_eq!(instruct(&mut book, order("rfd_1", 5), None), Outcome::Paid);
    let decline = Behaviour::Decline { code: "no".to_owned() };
    for how in [None, Some(&decline)] {
        let Taken::Known(refund) = book.instruct(order("rfd_1", 5), how, NOW_MS) else { panic!() };
        assert_eq!((refund.id.as_str(), &refund.now), ("re_00000001", &Outcome::Paid));
        assert!(matches!(book.instruct(order("rfd_1", 6), how, NOW_MS), Taken::ChangedBody));
    }
}

#[test]
fn a_declined_key_stays_declined() {
    let mut book = Book::default();
    let decline = Behaviour::Decline { code: "insufficient_funds".to_owned() };
    assert_eq!(instruct(&mut book, order("rfd_1", 5), Some(&decline)), failed("insufficient_funds"));
    let Taken::Known(refund) = book.instruct(order("rfd_1", 5), None, NOW_MS) else { panic!() };
    assert_eq!(refund.first, failed("insufficient_funds"));
}

#[test]
fn refunds_stay_within_what_was_captured() {
    let mut book = captured(10, "EUR");
    assert_eq!(instruct(&mut book, order("rfd_1", 6), None), Outcome::Paid);
    assert_eq!(instruct(&mut book, order("rfd_2", 5), None), failed("amount_exceeds_charge"));
    let pending = Behaviour::Pending { after_ms: None, code: None };
    assert_eq!(instruct(&mut book, order("rfd_3", 4), Some(&pending)), Outcome::Pending { then: None });
    assert_eq!(instruct(&mut book, order("rfd_4", 1), None), failed("amount_exceeds_charge"));
    book.apply(book.settle("re_00000003", Some("account_closed".to_owned())).unwrap());
    assert_eq!(instruct(&mut book, order("rfd_5", 4), None), Outcome::Paid);
    assert_eq!(instruct(&mut captured(10, "USD"), order("rfd_1", 1), None), failed("currency_mismatch"));
}

#[test]
fn a_pending_refund_ends_once_and_its_first_answer_stays() {
    let mut book = Book::default();
    let pending = Behaviour::Pending { after_ms: Some(500), code: None };
    let then = Some(Then { at_ms: NOW_MS + 500, code: None });
    assert_eq!(
        instruct(&mut book, order("rfd_1", 5), Some(&pending)),
        Outcome::Pending { then: then.clone() }
    );
    book.apply(book.settle("re_00000001", None).unwrap());
    let refund = book.by_key("rfd_1").unwrap();
    assert_eq!((&refund.first, &refund.now), (&Outcome::Pending { then }, &Outcome::Paid));
    assert_eq!(book.settle("re_00000001", Some("late".to_owned())), None);
    assert_eq!(book.settle("re_00000009", None), None);
}
