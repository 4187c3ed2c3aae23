//! Customers and how they are known.

use seva_domain::noun::Noun;
use seva_domain::plan::Intent;
use seva_domain::values::CustomerId;

use super::NAME_CHARS_MAX;
use crate::edge::{Draft, Pen, Whose, Written};
use crate::identity::normalise;
use crate::parse::Fields;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// How many identities a request may name.
pub const IDENTITIES_MAX: usize = 16;

const IDENTITY_CHARS_MAX: usize = 320;

/// An identity whose value is in its one form.
pub type Given = (pb::IdentityKind, String);

/// Reads the identities of a request.
pub fn identities(fields: &mut Fields, given: &[pb::Identity]) -> Option<Vec<Given>> {
    if given.len() > IDENTITIES_MAX {
        fields.refuse("identities", format!("has more than {IDENTITIES_MAX} entries"));
        return None;
    }
    let read = |(n, one): (usize, &pb::Identity)| identity(fields, &format!("identities[{n}]"), one);
    // Every one is read, so that everything wrong is told at once.
    let all: Vec<Option<Given>> = given.iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

fn identity(fields: &mut Fields, path: &str, given: &pb::Identity) -> Option<Given> {
    let pb::Identity { kind, value } = given;
    let kind = fields.known::<pb::IdentityKind>(&format!("{path}.kind"), *kind);
    let field = format!("{path}.value");
    let value = fields.text(&field, value, 1..=IDENTITY_CHARS_MAX)?;
    let kind = kind?;
    fields.take(&field, normalise(kind, &value)).map(|value| (kind, value))
}

/// A customer to be registered.
pub struct Registration {
    identities: Vec<Given>,
    name: String,
}

impl Registration {
    /// Checks a request. Its `request_id` is read apart.
    pub fn parse(request: &pb::RegisterCustomerRequest) -> Result<Registration, Error> {
        let pb::RegisterCustomerRequest { request_id, identities: given, name } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let identities = identities(&mut fields, given);
        let name = fields.text("name", name, 0..=NAME_CHARS_MAX);
        fields.finish(|| Some(Registration { identities: identities?, name: name? }))
    }
}

impl Draft for Registration {
    fn whose(&self) -> Whose {
        Whose::Nobody
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::RegisterCustomer {
            identities: sealed(&self.identities, pen).await?,
            name: pen.seal_if_given("name", &self.name).await?,
            sealing: pen.sealing(),
        })
    }
}

pub(super) async fn sealed(
    given: &[Given],
    pen: &Pen<'_>,
) -> Result<Vec<seva_domain::customer::Identity>, Error> {
    let mut identities = Vec::with_capacity(given.len());
    for (n, (kind, value)) in given.iter().enumerate() {
        identities.push(pen.identity(&format!("identities[{n}].value"), *kind, value).await?);
    }
    Ok(identities)
}

/// An identity to be added to a customer.
pub struct Addition {
    customer: CustomerId,
    identity: Given,
}

impl Addition {
    /// Checks a request.
    pub fn parse(request: &pb::AddIdentityRequest) -> Result<Addition, Error> {
        let pb::AddIdentityRequest { request_id, customer_id, identity: given } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let customer = fields.id::<CustomerId>("customer_id", customer_id);
        let identity = match given {
            Some(given) => identity(&mut fields, "identity", given),
            None => {
                fields.refuse("identity", "is missing");
                None
            }
        };
        fields.finish(|| Some(Addition { customer: customer?, identity: identity? }))
    }
}

impl Draft for Addition {
    fn whose(&self) -> Whose {
        Whose::Customer(self.customer)
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let (kind, value) = &self.identity;
        let identity = pen.identity("identity.value", *kind, value).await?;
        Ok(Intent::AddIdentity { customer: self.customer, identity, sealing: pen.sealing() })
    }
}

/// The customer that a request's records are about.
pub fn customer(written: &Written) -> Option<String> {
    written.records.iter().find_map(|record| match record.noun {
        Noun::Customer(id) => Some(id.to_string()),
        _ => None,
    })
}
