//! What users pay, what they are written, and how people without access have their data deleted.

mod access;
mod erased;
mod letters;
mod pages;
pub(crate) mod paypal;
mod proofs;
mod reach;
mod refunds;
mod requests;
mod sign_in;
mod smtp;
mod terms;
mod webhooks;

use axum::{
    body::{Body, to_bytes},
    http::{Request, header, response::Parts},
};
use clipqueue::{
    domain::deletions::{self, NewRequest, Standing, Ticket},
    http::{self, Peer},
};
use clipqueue_entities::mail;
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::{Stack, TestApp};

/// Where letters go that nobody reads.
const ADDRESS: &str = "quixote.reader@example.com";
/// A name that nothing else in the product or the simulator has.
const CREATOR: &str = "zelda.quixote";

/// The product with a mail server.
async fn with_mail(stack: Stack, server: &smtp::Server, more: &[(&str, &str)]) -> TestApp {
    let url = server.url();
    let mut settings = vec![("mail.url", url.as_str()), ("mail.insecure", "true")];
    settings.extend_from_slice(more);
    TestApp::start_with(stack, &settings).await
}

fn request(username: &str, email: Option<&str>) -> NewRequest {
    NewRequest {
        username: username.to_owned(),
        email: email.map(str::to_owned),
        ..NewRequest::default()
    }
}

/// A form or a document on its way to the product, from an address.
async fn send(t: &TestApp, mut request: Request<Body>, from: &str) -> (Parts, String) {
    let peer = Peer(format!("{from}:4000").parse().unwrap());
    request.extensions_mut().insert(peer);
    let token = CancellationToken::new;
    let router = http::router(&t.app, None, token(), token());
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts, String::from_utf8(body.to_vec()).unwrap())
}

/// The request for a GraphQL document.
fn document(key: Option<&str>, document: &str, variables: Value) -> Request<Body> {
    let body = json!({ "query": document, "variables": variables }).to_string();
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    request.body(Body::from(body)).unwrap()
}

impl TestApp {
    /// The answer to a GraphQL document.
    async fn graphql(&self, key: Option<&str>, text: &str, variables: Value) -> Value {
        let request = document(key, text, variables);
        let (_, body) = send(self, request, "192.0.2.1").await;
        serde_json::from_str(&body).unwrap()
    }

    /// Somebody asks for deletion.
    async fn ask_for_deletion(&self, username: &str, email: Option<&str>) -> Ticket {
        let key = uuid::Uuid::now_v7().to_string();
        deletions::ask(&self.app, None, request(username, email), &key)
            .await
            .unwrap()
    }

    async fn standing(&self, ticket: &Ticket) -> Standing {
        deletions::by_code(&self.app, &ticket.code).await.unwrap()
    }

    /// Every letter that was written, oldest first.
    async fn mails(&self) -> Vec<mail::Model> {
        mail::Entity::find()
            .order_by_asc(mail::Column::CreatedAt)
            .order_by_asc(mail::Column::Cause)
            .all(self.app.db.read())
            .await
            .unwrap()
    }

    /// The kinds of all letters, in the order of the alphabet.
    async fn kinds_of_mails(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.mails().await.into_iter().map(|row| row.kind).collect();
        kinds.sort();
        kinds
    }
}
