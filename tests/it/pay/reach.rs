//! How far a proved request reaches: what goes with the account, and what the receipt tells of the request.

use clipqueue::domain::{
    actor::Scope,
    api_keys,
    deletions::prove,
    erasure, roles, sources,
    webhooks::{self, NewEndpoint},
};
use clipqueue_entities::{
    deletion_request::{ProofKind, RequestState},
    erasure::ErasureScope,
    operator::Role,
};

use super::{ADDRESS, CREATOR, proofs::SCOPES, smtp::Server, with_mail};
use crate::support::app::{Stack, TestApp};

crate::on_both_stacks_by_hand!(
    a_creator_of_a_front_end_takes_no_tenant_along,
    a_receipt_names_a_kept_address_whoever_began_the_erasure,
);

async fn a_creator_of_a_front_end_takes_no_tenant_along(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[SCOPES]).await;
    for mark in ["keys", "webhooks", "endpoint", "source", "operator"] {
        let name = format!("zelda.{mark}");
        let mut scopes = Scope::CREATOR.to_vec();
        match mark {
            "keys" => scopes.push(Scope::KeysAdmin),
            "webhooks" => scopes.push(Scope::WebhooksAdmin),
            _ => {}
        }
        t.actor = TestApp::user(&t.app, &name, &scopes).await.0;
        // By a link that the tenant gave to a creator.
        let own = t.connect(&name).await;
        match mark {
            "endpoint" => {
                let new = NewEndpoint {
                    url: "https://hooks.example.com/".to_owned(),
                    description: None,
                    kinds: Vec::new(),
                };
                webhooks::create(&t.app, &t.actor, new, "key")
                    .await
                    .unwrap();
            }
            "source" => {
                sources::add(&t.app, &t.actor, "https://clips.example.com/", "key")
                    .await
                    .unwrap();
            }
            "operator" => {
                roles::add(&t.app, &name, Role::Viewer).await.unwrap();
            }
            _ => {}
        }
        let ticket = t.ask_for_deletion(&name, None).await;
        let row = t.standing(&ticket).await.row;
        let id = prove::by_account(&t.app, &row, &own, ProofKind::Tiktok)
            .await
            .unwrap();
        let begun = erasure::get(&t.app, id).await.unwrap();
        assert_eq!(begun.scope, ErasureScope::Account, "{mark}");
        if mark == "keys" {
            t.until(&ticket, RequestState::Done).await;
            let key = t.actor.key_id.unwrap();
            assert!(api_keys::still(&t.app, key).await.unwrap().is_ok());
        }
    }
}

async fn a_receipt_names_a_kept_address_whoever_began_the_erasure(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    for (name, address) in [(CREATOR, Some(ADDRESS)), ("otto.wanderlust", None)] {
        let own = t.creator(name).await;
        let ticket = t.ask_for_deletion(name, address).await;
        let accepted = erasure::delete_user(&t.app, &t.actor, name, "bye")
            .await
            .unwrap();
        let row = t.standing(&ticket).await.row;
        let joined = prove::by_account(&t.app, &row, &own, ProofKind::Tiktok)
            .await
            .unwrap();
        assert_eq!(joined, accepted.erasure.id);
        t.until(&ticket, RequestState::Done).await;
        let status = erasure::by_code(&t.app, &accepted.code).await.unwrap();
        let receipt = status.receipt.unwrap()["receipt"].clone();
        assert_eq!(receipt["cause"], "owner");
        let stays = receipt["stays"].to_string();
        let is_named = stays.contains("the address that was given for answers");
        assert_eq!(is_named, address.is_some(), "{stays}");
    }
}
