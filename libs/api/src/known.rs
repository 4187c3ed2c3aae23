//! What a service knows of cases and customers that another service owns: whether they exist, and which key their texts are sealed under.
//!
//! Every case and every customer has a row in it, so the services of a process share one: the first that asks for it holds it for all.
//!
//! A read model like any other. A case that was acknowledged a moment ago may not be in it yet: who asks for one that is missing waits until the
//! rows are as far as the log was then, so that nothing that exists is called missing.

use prost::Message;
use seva_domain::case::Event as CaseEvent;
use seva_domain::customer::Event as CustomerEvent;
use seva_domain::noun::{Event, Noun};
use seva_domain::record::Record;
use seva_domain::service::Service;
use seva_domain::values::{CaseId, CustomerId, KeyId, Kind};
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows};

use crate::edge::{Edge, get, log_error, reached};
use crate::intake::{kind, kind_of};
use crate::pb::common::v1::CaseKind;
use crate::status::Error;

/// The read model's name.
pub const NAME: &str = "known.v2";

/// Whether a service asks what is known of cases and customers.
pub fn is_asked_by(service: Service) -> bool {
    match service {
        Service::Escalation | Service::Feedback | Service::Refunds => true,
        Service::Intake | Service::Policy => false,
    }
}

/// The read model. Keys: `c` case; `u` customer. It changes only when a case is opened or its kind corrected and when a customer is
/// registered, so it holds no revs.
pub struct Known;

#[derive(Clone, PartialEq, Message)]
struct CaseRow {
    #[prost(bytes = "vec", tag = "1")]
    customer: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(enumeration = "CaseKind", tag = "3")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CustomerRow {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

impl ReadModel for Known {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        match record.noun {
            Noun::Case(id) => fold_case(rows, record, id),
            Noun::Customer(id) => {
                for entry in &record.events {
                    if let Event::Customer(CustomerEvent::Registered(registered)) = &entry.event {
                        rows.put(customer_key(id), &CustomerRow { key: registered.key.bytes().to_vec() });
                    }
                }
                Ok(())
            }
            Noun::Charge(_) | Noun::Escalation(_) | Noun::Import(_) | Noun::Policy | Noun::Suggestion(_) => {
                Ok(())
            }
        }
    }
}

fn fold_case(rows: &mut Rows<'_>, record: &Record, id: CaseId) -> Result<(), FoldError> {
    let mut opened = None;
    let events = record.events.iter().filter_map(|entry| match &entry.event {
        Event::Case(event) => Some(event),
        Event::Charge(_)
        | Event::Customer(_)
        | Event::Escalation(_)
        | Event::Import(_)
        | Event::Policy(_)
        | Event::Suggestion(_) => None,
    });
    for event in events {
        match event {
            CaseEvent::Opened(event) => opened = Some((event.customer, event.kind)),
            CaseEvent::InteractionLogged(logged) => {
                // What opened the case is sealed under a key of its customer.
                if let Some((customer, kind)) = opened.take() {
                    let (customer, key) = (customer.bytes().to_vec(), logged.text.key.bytes().to_vec());
                    rows.put(case_key(id), &CaseRow { customer, key, kind: kind_of(kind).into() });
                }
            }
            CaseEvent::Reclassified(reclassified) => {
                let row = rows.get::<CaseRow>(&case_key(id))?;
                if let Some(row) = row {
                    rows.put(case_key(id), &CaseRow { kind: kind_of(reclassified.to).into(), ..row });
                }
            }
            CaseEvent::Linked(_)
            | CaseEvent::Resolved(_)
            | CaseEvent::ConfirmationAwaited(_)
            | CaseEvent::ResolutionConfirmed(_)
            | CaseEvent::ResolutionRejected(_)
            | CaseEvent::Reopened(_)
            | CaseEvent::PromiseProposed(_)
            | CaseEvent::PromiseMade(_)
            | CaseEvent::PromiseRefused(_)
            | CaseEvent::PromiseKept(_)
            | CaseEvent::PromiseRenegotiated(_)
            | CaseEvent::PromiseBroken(_) => {}
        }
    }
    Ok(())
}

fn case_key(id: CaseId) -> Vec<u8> {
    [b"c", id.bytes().as_slice()].concat()
}

fn customer_key(id: CustomerId) -> Vec<u8> {
    [b"u", id.bytes().as_slice()].concat()
}

/// A case, as far as another service needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KnownCase {
    pub customer: CustomerId,
    pub kind: Kind,
    /// The key that the customer's texts are sealed under.
    pub key: KeyId,
}

impl Edge {
    /// A case that exists, whoever made it a moment ago.
    pub async fn known_case(&self, id: CaseId) -> Result<KnownCase, Error> {
        let missing = || Error::NotFound { what: "case", id: id.to_string() };
        let row: CaseRow = self.known(&case_key(id)).await?.ok_or_else(missing)?;
        let customer = row.customer.as_slice().try_into().map(CustomerId::from_bytes);
        let key = row.key.as_slice().try_into().map(KeyId::from_bytes);
        let (Ok(customer), Ok(key), Some(kind)) = (customer, key, kind(row.kind())) else {
            return Err(damaged());
        };
        Ok(KnownCase { customer, kind, key })
    }

    /// The key that the texts of a customer who exists are sealed under. Of somebody forgotten it is gone, and nothing can be sealed under it.
    async fn known_customer(&self, id: CustomerId) -> Result<KeyId, Error> {
        let missing = || Error::NotFound { what: "customer", id: id.to_string() };
        let row: CustomerRow = self.known(&customer_key(id)).await?.ok_or_else(missing)?;
        row.key.as_slice().try_into().map(KeyId::from_bytes).map_err(|_| damaged())
    }

    /// The key of whoever something is of; the case and the customer named must exist.
    pub async fn known_key(
        &self,
        case: Option<CaseId>,
        customer: Option<CustomerId>,
    ) -> Result<Option<KeyId>, Error> {
        let mut key = None;
        if let Some(case) = case {
            key = Some(self.known_case(case).await?.key);
        }
        if let Some(customer) = customer {
            key = Some(self.known_customer(customer).await?);
        }
        Ok(key)
    }

    async fn known<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Error> {
        let (rows, _) = reached(&self.known, NAME, Position::default()).await?;
        if let Some(row) = get(rows.as_ref(), key)? {
            return Ok(Some(row));
        }
        let end = self.engine().log().end().await.map_err(log_error)?;
        let (rows, _) = reached(&self.known, NAME, Position::of(end, 0)).await?;
        get(rows.as_ref(), key)
    }
}

fn damaged() -> Error {
    Error::Internal("a row of what is known of cases and customers is damaged".into())
}
