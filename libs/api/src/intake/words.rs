//! The words that messages and the domain have in common, and ids.

use seva_domain::values::{self, Channel, Direction, Kind, Language};

use crate::parse::Fields;
use crate::pb::common::v1 as common;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// Reads a language that may be left empty.
pub fn language(fields: &mut Fields, tag: &str) -> Option<Option<Language>> {
    if tag.is_empty() {
        return Some(None);
    }
    let language = Language::parse(tag).ok_or("is not a BCP 47 language tag");
    fields.take("language", language).map(Some)
}

pub(super) fn channel(channel: common::Channel) -> Option<Channel> {
    match channel {
        common::Channel::Unspecified => None,
        common::Channel::Phone => Some(Channel::Phone),
        common::Channel::Email => Some(Channel::Email),
        common::Channel::Chat => Some(Channel::Chat),
        common::Channel::Web => Some(Channel::Web),
        common::Channel::Social => Some(Channel::Social),
        common::Channel::Post => Some(Channel::Post),
        common::Channel::InStore => Some(Channel::InStore),
        common::Channel::Referral => Some(Channel::Referral),
        common::Channel::Survey => Some(Channel::Survey),
        common::Channel::MobileApp => Some(Channel::MobileApp),
        common::Channel::Other => Some(Channel::Other),
    }
}

/// The channel as a message holds it.
pub fn channel_of(channel: Channel) -> common::Channel {
    match channel {
        Channel::Phone => common::Channel::Phone,
        Channel::Email => common::Channel::Email,
        Channel::Chat => common::Channel::Chat,
        Channel::Web => common::Channel::Web,
        Channel::Social => common::Channel::Social,
        Channel::Post => common::Channel::Post,
        Channel::InStore => common::Channel::InStore,
        Channel::Referral => common::Channel::Referral,
        Channel::Survey => common::Channel::Survey,
        Channel::MobileApp => common::Channel::MobileApp,
        Channel::Other => common::Channel::Other,
    }
}

/// What a kind of the wire is in the domain.
pub fn kind(kind: common::CaseKind) -> Option<Kind> {
    match kind {
        common::CaseKind::Unspecified => None,
        common::CaseKind::Enquiry => Some(Kind::Enquiry),
        common::CaseKind::Complaint => Some(Kind::Complaint),
        common::CaseKind::Suggestion => Some(Kind::Suggestion),
        common::CaseKind::Refund => Some(Kind::Refund),
        common::CaseKind::Internal => Some(Kind::Internal),
        common::CaseKind::Other => Some(Kind::Other),
    }
}

/// The kind as a message holds it.
pub fn kind_of(kind: Kind) -> common::CaseKind {
    match kind {
        Kind::Enquiry => common::CaseKind::Enquiry,
        Kind::Complaint => common::CaseKind::Complaint,
        Kind::Suggestion => common::CaseKind::Suggestion,
        Kind::Refund => common::CaseKind::Refund,
        Kind::Internal => common::CaseKind::Internal,
        Kind::Other => common::CaseKind::Other,
    }
}

pub(super) fn direction(direction: pb::Direction) -> Option<Direction> {
    match direction {
        pb::Direction::Unspecified => None,
        pb::Direction::Inbound => Some(Direction::Inbound),
        pb::Direction::Outbound => Some(Direction::Outbound),
    }
}

/// The direction as a message holds it.
pub fn direction_of(direction: Direction) -> pb::Direction {
    match direction {
        Direction::Inbound => pb::Direction::Inbound,
        Direction::Outbound => pb::Direction::Outbound,
    }
}

/// The kind of an identity as a message holds it.
pub fn identity_kind_of(kind: seva_domain::customer::IdentityKind) -> pb::IdentityKind {
    match kind {
        seva_domain::customer::IdentityKind::Account => pb::IdentityKind::Account,
        seva_domain::customer::IdentityKind::Email => pb::IdentityKind::Email,
        seva_domain::customer::IdentityKind::Handle => pb::IdentityKind::Handle,
        seva_domain::customer::IdentityKind::Phone => pb::IdentityKind::Phone,
    }
}

/// An id of a path or a key, checked.
pub fn id<T: std::str::FromStr<Err = values::NotAnId>>(field: &str, value: &str) -> Result<T, Error> {
    let mut fields = Fields::default();
    let id = fields.id(field, value);
    fields.finish(|| id)
}
