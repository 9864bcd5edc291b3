//! Endpoints as their owner steers them: rotation, tests, replay, redirects, addresses that are gone.

use std::time::Duration;

use clipqueue::domain::{
    error::Error,
    events,
    webhooks::{self, NewEndpoint, OVERLAP, follow, replay},
};
use clipqueue_entities::webhook_delivery::DeliveryState;

use super::{
    server::{Answer, HOST, Server},
    webhooks::{deliveries, endpoint, reload, signed, taking},
};
use crate::support::app::{Stack, TestApp};

crate::on_both_stacks!(
    a_rotated_secret_signs_beside_the_old_one_for_a_day,
    two_followers_make_one_delivery_of_each_event,
);

async fn a_rotated_secret_signs_beside_the_old_one_for_a_day(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let (id, old) = endpoint(&t, server.url("/hook").as_str(), &[]).await;
    let (_, new) = webhooks::rotate(&t.app, &t.actor, id, "rotate-1")
        .await
        .unwrap();
    let new = new.unwrap();
    // The same request rotates once, and shows the secret once.
    let (row, again) = webhooks::rotate(&t.app, &t.actor, id, "rotate-1")
        .await
        .unwrap();
    assert!(again.is_none() && row.generation == 2);
    replay::test(&t.app, &t.actor, id, "test-1").await.unwrap();
    replay::test(&t.app, &t.actor, id, "test-1").await.unwrap();
    t.drain().await;
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(signed(&asked[0], &old) && signed(&asked[0], &new));
    assert!(asked[0].body.contains("webhook.test"));

    t.advance(OVERLAP);
    replay::test(&t.app, &t.actor, id, "test-2").await.unwrap();
    t.drain().await;
    let last = server.asked().pop().unwrap();
    assert!(signed(&last, &new) && !signed(&last, &old));
    webhooks::sweep::sweep(&t.app).await.unwrap();
    let row = reload(&t, id).await;
    assert!(row.old_secret.is_none() && row.old_until.is_none());

    // A delivery that arrived can be asked for again, and bears its id.
    let delivery = deliveries(&t, id).await.remove(0);
    replay::again(&t.app, &t.actor, delivery.id).await.unwrap();
    t.drain().await;
    let again = server.asked().pop().unwrap();
    assert_eq!(again.header("webhook-id"), asked[0].header("webhook-id"));
    assert_eq!(again.body, asked[0].body);
    assert_eq!(
        replay::attempts(&t.app, delivery.id).await.unwrap().len(),
        2
    );
}

async fn two_followers_make_one_delivery_of_each_event(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let (id, _) = endpoint(&t, server.url("/hook").as_str(), &[]).await;
    let start = reload(&t, id).await.cursor;
    for name in ["one", "two", "three"] {
        t.connect(name).await;
    }
    let user = t.actor.user_id;
    let both = [follow::follow(&t.app, user), follow::follow(&t.app, user)];
    let made = futures::future::join_all(both).await;
    let made: u64 = made.into_iter().map(Result::unwrap).sum();
    let happened = events::after(t.app.db.read(), user, None, start, 100)
        .await
        .unwrap();
    assert_eq!(made, happened.len() as u64);
    t.drain().await;
    assert_eq!(server.asked().len(), happened.len());
}

#[tokio::test]
async fn an_address_that_is_gone_is_disabled_at_once_and_a_redirect_is_no_delivery() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let server = Server::start(|asked| match asked.path.as_str() {
        "/gone" => Answer::whole("410 Gone", "", b""),
        "/moved" => Answer::whole("308 Moved", "Location: /elsewhere\r\n", b""),
        _ => taking(),
    })
    .await;
    let names = t.names();
    let (gone, _) = endpoint(&t, server.url("/gone").as_str(), &["account.*"]).await;
    let (moved, _) = endpoint(&t, server.url("/moved").as_str(), &["account.*"]).await;
    t.connect("creator").await;
    t.drain().await;
    let row = reload(&t, gone).await;
    assert!(!row.enabled);
    assert_eq!(row.disabled_reason.as_deref(), Some("gone"));
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert!(!paths.iter().any(|path| path == "/elsewhere"), "{paths:?}");
    let delivery = deliveries(&t, moved).await.remove(0);
    assert_eq!(delivery.state, DeliveryState::Pending);
    assert_eq!(delivery.last_status, Some(308));

    // A name that leads inside later on is not asked.
    names.lead(HOST, &[&["10.0.0.1"]]);
    let before = server.connections();
    t.clock.advance(Duration::from_secs(10));
    t.drain().await;
    let delivery = deliveries(&t, moved).await.remove(0);
    assert_eq!(delivery.last_error.as_deref(), Some("address_refused"));
    assert_eq!(server.connections(), before);
}

#[tokio::test]
async fn an_endpoint_must_be_an_address_of_the_public_internet() {
    // As in production, where this machine may not be asked.
    let t = TestApp::start(Stack::Embedded).await;
    for url in [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com:6379/",
        "not a url",
    ] {
        let new = NewEndpoint {
            url: url.to_owned(),
            description: None,
            kinds: Vec::new(),
        };
        let refused = webhooks::create(&t.app, &t.actor, new, url.split(' ').next().unwrap()).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{url}");
    }
    let new = NewEndpoint {
        url: "https://hooks.example.com/".to_owned(),
        description: None,
        kinds: vec!["post.*; DROP TABLE".to_owned()],
    };
    assert!(
        webhooks::create(&t.app, &t.actor, new, "kinds")
            .await
            .is_err()
    );
}
