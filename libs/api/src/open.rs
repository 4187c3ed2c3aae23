//! Opens the sealed texts of an answer, whatever message they stand in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use seva_domain::values::{self, KeyId};
use seva_vault::{Opened, SealedBytes, Vault};

use crate::pb::common::v1::text::Value;
use crate::pb::common::v1::{Closed, Erased, Sealed, Text};
use crate::status::Error;

/// Visits every text in a message, however deep. Generated for every message.
pub trait Texts {
    /// Calls `visit` with each text, in the order of the fields.
    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut Text));
}

impl<M: Texts> Texts for Vec<M> {
    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        for message in self {
            message.texts_mut(visit);
        }
    }
}

/// Closes every sealed text in a message.
pub fn close<M: Texts>(message: &mut M) {
    message.texts_mut(&mut |text| {
        if let Some(Value::Sealed(_)) = text.value {
            text.value = Some(Value::Closed(Closed {}));
        }
    });
}

/// Opens every sealed text in a message; one whose key is gone becomes `erased`. Answers how many were opened.
///
/// A vault that does not answer is an error: nothing is called erased that only cannot be read just now.
pub async fn open<M: Texts>(message: &mut M, vault: &Vault) -> Result<u64, Error> {
    let mut sealed = Vec::new();
    message.texts_mut(&mut |text| {
        if let Some(Value::Sealed(value)) = &mut text.value {
            sealed.push(std::mem::take(value));
        }
    });
    if sealed.is_empty() {
        return Ok(0);
    }
    let named = sealed
        .iter()
        .map(|value| Ok((value.key.parse()?, value)))
        .collect::<Result<Vec<(KeyId, &Sealed)>, _>>();
    let named = named.map_err(|error: values::NotAnId| Error::Internal(error.into()))?;
    let texts: Vec<SealedBytes<'_>> = named
        .iter()
        .map(|&(key, value)| SealedBytes { key, context: &value.context, data: &value.data })
        .collect();
    let opened = vault.open_all(&texts).await?;
    let count = opened.iter().filter(|opened| matches!(opened, Opened::Clear(_))).count();
    let mut opened = opened.into_iter();
    message.texts_mut(&mut |text| {
        if let Some(Value::Sealed(_)) = text.value {
            text.value = match opened.next() {
                Some(Opened::Clear(clear)) => Some(Value::Clear(clear)),
                Some(Opened::Erased) | None => Some(Value::Erased(Erased {})),
            };
        }
    });
    Ok(count as u64)
}

/// A sealed text of a record as a message holds it.
pub fn sealed_text(sealed: &values::Sealed) -> Text {
    Text {
        value: Some(Value::Sealed(Sealed {
            key: sealed.key.to_string(),
            context: sealed.context.clone(),
            // What is not base64 opens no more than what was altered otherwise: `open` tells of it.
            data: STANDARD_NO_PAD.decode(&sealed.data).unwrap_or_default(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::intake::v1::timeline_entry::What;
    use crate::pb::intake::v1::{
        Case, CaseStep, Customer, CustomerIdentity, GetCallerBriefResponse, InteractionEntry, TimelineEntry,
    };
    use seva_domain::values::RequestId;
    use seva_vault::MasterKey;

    async fn sealed(vault: &Vault, key: KeyId, text: &str) -> Option<Text> {
        let request = RequestId::from_bytes([1; 16]);
        Some(sealed_text(&vault.seal(key, request, "text", text).await.unwrap()))
    }

    fn clear(text: &Option<Text>) -> &str {
        match text.as_ref().unwrap().value.as_ref().unwrap() {
            Value::Clear(clear) => clear,
            Value::Erased(_) => "(erased)",
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn every_text_is_opened_wherever_it_stands() {
        let vault = Vault::in_memory(MasterKey::generate());
        let (kept, gone) = (vault.fresh().await.unwrap(), vault.fresh().await.unwrap());
        let entry = |what| TimelineEntry { what: Some(what), ..TimelineEntry::default() };
        let mut brief = GetCallerBriefResponse {
            customer: Some(Customer {
                name: sealed(&vault, kept, "Asha").await,
                identities: vec![CustomerIdentity { kind: 3, value: sealed(&vault, gone, "a@b.c").await }],
                ..Customer::default()
            }),
            open_cases: vec![Case {
                opening: sealed(&vault, kept, "it broke").await,
                resolution: None,
                ..Case::default()
            }],
            latest: vec![
                entry(What::Interaction(InteractionEntry {
                    text: sealed(&vault, gone, "gone").await,
                    ..InteractionEntry::default()
                })),
                entry(What::Step(CaseStep {
                    note: sealed(&vault, kept, "mended").await,
                    ..CaseStep::default()
                })),
            ],
            pending_promises: Vec::new(),
            position: String::new(),
        };
        vault.erase(gone).await.unwrap();
        open(&mut brief, &vault).await.unwrap();

        let customer = brief.customer.unwrap();
        assert_eq!(clear(&customer.name), "Asha");
        assert_eq!(clear(&customer.identities[0].value), "(erased)");
        assert_eq!(clear(&brief.open_cases[0].opening), "it broke");
        let texts: Vec<_> = brief
            .latest
            .iter()
            .map(|entry| match entry.what.as_ref().unwrap() {
                What::Interaction(interaction) => clear(&interaction.text),
                What::Step(step) => clear(&step.note),
            })
            .collect();
        assert_eq!(texts, ["(erased)", "mended"]);
    }
}
