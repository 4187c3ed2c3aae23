//! Requests with what a test does not care about filled in.

use seva_api::pb::common::v1::{CaseKind, Channel, PageRequest, ReadOptions};
use seva_api::pb::feedback::v1::CaptureSuggestionRequest;
use seva_api::pb::intake::v1::{
    Direction, Identity, IdentityKind, LogInteractionRequest, RegisterCustomerRequest,
};

/// An account, a handle, an e-mail address or a telephone number.
pub fn identity(kind: IdentityKind, value: &str) -> Identity {
    Identity { kind: kind.into(), value: value.to_owned() }
}

/// The account that decides who a customer is.
pub fn account(value: &str) -> Identity {
    identity(IdentityKind::Account, value)
}

/// An enquiry by chat of whoever has this account.
pub fn interaction(request_id: &str, of_account: &str, text: &str) -> LogInteractionRequest {
    LogInteractionRequest {
        request_id: request_id.to_owned(),
        identities: vec![account(of_account)],
        channel: Channel::Chat.into(),
        direction: Direction::Inbound.into(),
        text: text.to_owned(),
        kind: CaseKind::Enquiry.into(),
        ..LogInteractionRequest::default()
    }
}

/// A customer with an account.
pub fn registration(request_id: &str, account_value: &str) -> RegisterCustomerRequest {
    RegisterCustomerRequest {
        request_id: request_id.to_owned(),
        identities: vec![account(account_value)],
        name: "Meera Nair".to_owned(),
    }
}

/// A suggestion of nobody in particular.
pub fn suggestion(request_id: &str, text: &str) -> CaptureSuggestionRequest {
    CaptureSuggestionRequest {
        request_id: request_id.to_owned(),
        text: text.to_owned(),
        ..CaptureSuggestionRequest::default()
    }
}

/// Read at this position or later.
pub fn at_least(position: &str) -> Option<ReadOptions> {
    Some(ReadOptions { at_least_position: position.to_owned() })
}

/// A page of so many rows, from a token on.
pub fn page(page_size: u32, page_token: &str) -> Option<PageRequest> {
    Some(PageRequest { page_size, page_token: page_token.to_owned() })
}
