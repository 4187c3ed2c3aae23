//! Who somebody is: registered, identified, found again, and never one and the same by mistake.

use seva_api::pb::common::v1::text::Value;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, GetCallerBriefRequest, IdentifyCustomerRequest, Identity, IdentityKind,
    RegisterCustomerRequest,
};
use seva_domain::values::CustomerId;
use seva_stories::say::{account, at_least, identity, interaction, registration};
use seva_stories::{House, refused};

fn adding(request_id: &str, customer_id: &str, identity: Identity) -> AddIdentityRequest {
    let (request_id, customer_id) = (request_id.to_owned(), customer_id.to_owned());
    AddIdentityRequest { request_id, customer_id, identity: Some(identity) }
}

#[tokio::test]
async fn a_registered_customer_is_found_by_what_they_are_known_by() {
    let house = House::start().await;
    let mut intake = house.intake();
    let meera = RegisterCustomerRequest {
        identities: vec![account("A-1"), identity(IdentityKind::Email, "Meera@Example.com")],
        ..registration("1", "")
    };
    let registered = intake.register_customer(meera).await.unwrap().into_inner();
    let phone = identity(IdentityKind::Phone, "+91 98765 43210");
    let added = intake.add_identity(adding("2", &registered.customer_id, phone)).await.unwrap().into_inner();
    let known_by = [
        account("A-1"),
        identity(IdentityKind::Email, "meera@example.COM"),
        identity(IdentityKind::Phone, "00919876543210"),
    ];
    for one in known_by {
        let read = at_least(&added.position);
        let request = IdentifyCustomerRequest { identities: vec![one.clone()], read };
        let found = intake.identify_customer(request).await.unwrap().into_inner();
        assert_eq!(found.customer_id, registered.customer_id, "{one:?}");
    }
    let brief =
        GetCallerBriefRequest { customer_id: registered.customer_id, read: at_least(&added.position) };
    let brief = intake.get_caller_brief(brief).await.unwrap().into_inner();
    let customer = brief.customer.unwrap();
    assert_eq!(customer.name.unwrap().value, Some(Value::Clear("Meera Nair".to_owned())));
    assert_eq!(customer.identities.len(), 3);
}

#[tokio::test]
async fn somebody_is_found_as_soon_as_the_position_of_the_write_is_asked_for() {
    let house = House::start().await;
    let mut intake = house.intake();
    for n in 0..30 {
        let value = format!("A-{n}");
        let registered = intake.register_customer(registration(&value, &value)).await.unwrap().into_inner();
        let read = at_least(&registered.position);
        let request = IdentifyCustomerRequest { identities: vec![account(&value)], read };
        let found = intake.identify_customer(request).await.unwrap().into_inner();
        assert_eq!(found.customer_id, registered.customer_id, "{value}");
    }
}

#[tokio::test]
async fn an_account_or_handle_of_another_customer_is_refused() {
    let house = House::start().await;
    let mut intake = house.intake();
    let handle = identity(IdentityKind::Handle, "twitter/@meera");
    let meera =
        RegisterCustomerRequest { identities: vec![account("A-1"), handle.clone()], ..registration("1", "") };
    intake.register_customer(meera).await.unwrap();
    let asha = intake.register_customer(registration("2", "A-2")).await.unwrap().into_inner();
    let end = house.log().await.end;
    let taken = [
        refused(intake.register_customer(registration("3", "A-1")).await),
        refused(intake.add_identity(adding("4", &asha.customer_id, account("A-1"))).await),
        refused(intake.add_identity(adding("5", &asha.customer_id, handle)).await),
    ];
    for refusal in taken {
        assert_eq!(refusal.brief(), "FailedPrecondition IDENTITY_TAKEN", "{refusal}");
    }
    let mut said = interaction("6", "A-1", "Hello?");
    said.customer_id = asha.customer_id.clone();
    let refusal = refused(intake.log_interaction(said).await);
    assert_eq!(refusal.brief(), "FailedPrecondition IDENTITY_TAKEN", "{refusal}");
    assert_eq!(house.log().await.end, end, "what is refused leaves nothing");
}

#[tokio::test]
async fn what_is_added_to_nobody_is_refused_and_what_is_there_already_is_no_news() {
    let house = House::start().await;
    let mut intake = house.intake();
    let registered = intake.register_customer(registration("1", "A-1")).await.unwrap().into_inner();
    let nobody = CustomerId::from_bytes([9; 16]).to_string();
    let end = house.log().await.end;
    let refusal = refused(intake.add_identity(adding("2", &nobody, account("A-2"))).await);
    assert_eq!(refusal.brief(), "NotFound NOT_FOUND", "{refusal}");
    intake.add_identity(adding("3", &registered.customer_id, account("A-1"))).await.unwrap();
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn a_customer_has_at_most_64_identities() {
    let house = House::start().await;
    let mut intake = house.intake();
    let registered = intake.register_customer(registration("1", "A-1")).await.unwrap().into_inner();
    for n in 2..=64 {
        let phone = identity(IdentityKind::Phone, &format!("+49 30 {n:06}"));
        intake.add_identity(adding(&n.to_string(), &registered.customer_id, phone)).await.unwrap();
    }
    let one_more = identity(IdentityKind::Phone, "+49 30 999999");
    let refusal = refused(intake.add_identity(adding("65", &registered.customer_id, one_more.clone())).await);
    assert_eq!(refusal.brief(), "FailedPrecondition TOO_MANY_IDENTITIES", "{refusal}");
    let mut said = interaction("66", "A-1", "Hello?");
    said.identities.push(one_more);
    let refusal = refused(intake.log_interaction(said).await);
    assert_eq!(refusal.brief(), "FailedPrecondition TOO_MANY_IDENTITIES", "{refusal}");
}

#[tokio::test]
async fn those_who_share_a_telephone_are_proposed_and_not_merged() {
    let house = House::start().await;
    let mut intake = house.intake();
    let phone = identity(IdentityKind::Phone, "+49 30 1234");
    for value in ["A-1", "A-2"] {
        let shared = RegisterCustomerRequest {
            identities: vec![account(value), phone.clone()],
            ..registration(value, "")
        };
        intake.register_customer(shared).await.unwrap();
    }
    let mut said = interaction("3", "", "It is me.");
    said.identities = vec![phone.clone()];
    let logged = intake.log_interaction(said).await.unwrap().into_inner();
    let request = IdentifyCustomerRequest { identities: vec![phone], read: at_least(&logged.position) };
    let found = intake.identify_customer(request).await.unwrap().into_inner();
    assert_eq!(found.customer_id, "");
    assert_eq!(found.candidate_ids.len(), 3, "the two, and the one nobody could tell from them");
    let brief = GetCallerBriefRequest { customer_id: logged.customer_id, read: at_least(&logged.position) };
    let brief = intake.get_caller_brief(brief).await.unwrap().into_inner();
    assert_eq!(brief.customer.unwrap().merge_candidate_ids.len(), 2);
}
