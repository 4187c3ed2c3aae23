//! Tokens that callers hold and hand back.

use seva_api::edge::Page;
use seva_api::pb::common::v1::PageRequest;
use seva_eventlog::commit::Position;

#[test]
fn a_position_is_read_back_as_it_was_told() {
    bolero::check!().with_type::<(u64, u16, String)>().for_each(|(sequence, index, log)| {
        let position = Position::of(*sequence, *index);
        assert_eq!(Position::from_token(&position.token(log), log), Ok(position));
        assert_eq!(Position::from_key(position.key()), position);
    });
}

#[test]
fn what_is_no_position_is_refused() {
    bolero::check!().with_type::<(String, String)>().for_each(|(token, log)| {
        for token in [token.clone(), format!("{log}-{token}")] {
            if let Ok(position) = Position::from_token(&token, log) {
                assert_eq!(Position::from_token(&position.token(log), log), Ok(position));
            }
        }
    });
}

#[test]
fn a_page_goes_on_where_its_token_says_and_no_other_lists_token_will_do() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>, u32)>().for_each(|(prefix, rest, page_size)| {
        let key = [prefix.as_slice(), rest].concat();
        let page = |page_token| Page::parse(Some(&PageRequest { page_size: *page_size, page_token }), prefix);
        if !key.is_empty() {
            assert_eq!(page(Page::token(&key)).unwrap().from.as_deref(), Some(key.as_slice()));
        }
        if !rest.starts_with(prefix) {
            assert!(page(Page::token(rest)).is_err() || rest.is_empty());
        }
        // Whatever text: refused, or a key of this list.
        if let Ok(page) = page(String::from_utf8_lossy(rest).into_owned()) {
            assert!(page.from.is_none_or(|from| from.starts_with(prefix)));
            assert!((1..=1_000).contains(&page.size));
        }
    });
}
