//! What webhooks are told of leaving and of limits: from the same log, although whoever is told leaves.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clipqueue::domain::{
    erasure,
    error::{Code, Error},
    plans::requests,
    posts,
    uploads::{self, Announcement},
};
use clipqueue_entities::{
    AccountId, MediaId, job, post::PostState, webhook_delivery::DeliveryState, webhook_endpoint,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::Value;

use super::{
    server::{Answer, Server},
    webhooks::{deliveries, endpoint, signed, taking},
};
use crate::support::app::{CLIP, Stack, TestApp};

crate::on_both_stacks!(
    a_user_who_leaves_is_told_before_the_address_goes,
    an_account_that_goes_is_told_at_its_beginning_and_its_end,
    an_address_that_takes_nothing_keeps_nobody_from_leaving,
);
crate::on_both_stacks_by_hand!(each_limit_is_told_once_a_day);

/// Names that nothing else in the product or the simulator is called.
const CREATOR: &str = "zelda.quixote";

/// What the server was told, by kind.
fn told(server: &Server, kind: &str) -> Vec<Value> {
    let bodies = server.asked().into_iter().map(|asked| asked.body);
    bodies
        .map(|body| serde_json::from_str::<Value>(&body).unwrap())
        .filter(|body| body["type"] == kind)
        .collect()
}

/// Nobody follows or delivers any more but the erasure itself.
async fn nobody_delivers(t: &TestApp) {
    job::Entity::delete_many()
        .filter(job::Column::Kind.is_in(["follow_events", "deliver_webhook"]))
        .exec(t.app.db.write())
        .await
        .unwrap();
}

async fn a_user_who_leaves_is_told_before_the_address_goes(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let own = t.connect(CREATOR).await;
    let (_, secret) = endpoint(&t, server.url("/hook").as_str(), &["user.*"]).await;
    t.drain().await;
    let names = t.known_by(t.actor.user_id, None, &[CREATOR]).await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "leave")
        .await
        .unwrap();
    nobody_delivers(&t).await;
    let status = t.erased(&accepted).await;

    let bodies = told(&server, "user.deleting");
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let erasure = accepted.erasure.id.to_string();
    assert_eq!(bodies[0]["data"]["erasure"], erasure.as_str());
    let asked = &server.asked()[0];
    assert!(signed(asked, &secret), "{asked:?}");
    // Neither the code that opens the status page, nor a name.
    let whole = format!("{asked:?}");
    for canary in [accepted.code.as_str(), CREATOR, own.open_id.as_str()] {
        assert!(!whole.contains(canary), "{canary} in {whole}");
    }
    let rows = webhook_endpoint::Entity::find().count(t.app.db.read());
    assert_eq!(rows.await.unwrap(), 0);
    t.assert_gone(&names, &status).await;
}

async fn an_account_that_goes_is_told_at_its_beginning_and_its_end(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let own = t.connect(CREATOR).await;
    endpoint(&t, server.url("/hook").as_str(), &["account.*"]).await;
    t.drain().await;
    let names = t.known_by(t.actor.user_id, Some(own.id), &[CREATOR]).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    nobody_delivers(&t).await;
    let status = t.erased(&accepted).await;
    t.drain().await;

    let (begun, ended) = (
        told(&server, "account.disconnecting"),
        told(&server, "account.deleted"),
    );
    assert_eq!((begun.len(), ended.len()), (1, 1), "{begun:?} {ended:?}");
    let erasure = accepted.erasure.id.to_string();
    assert_eq!(begun[0]["data"]["erasure"], erasure.as_str());
    assert!(begun[0]["data"]["accountId"].is_string(), "{begun:?}");
    assert_eq!(ended[0]["data"]["erasure"], erasure.as_str());
    let mut parts: Vec<&String> = ended[0]["data"].as_object().unwrap().keys().collect();
    parts.sort();
    assert_eq!(parts, ["cursor", "erasure"], "nothing names the account");
    t.assert_gone(&names, &status).await;
}

async fn an_address_that_takes_nothing_keeps_nobody_from_leaving(mut t: TestApp) {
    let up = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&up);
    let server = Server::start(move |_| match open.load(Ordering::SeqCst) {
        true => taking(),
        false => Answer::whole("503 Service Unavailable", "", b"later"),
    })
    .await;
    t.names();
    let own = t.connect(CREATOR).await;
    let (id, _) = endpoint(&t, server.url("/hook").as_str(), &["account.*"]).await;
    t.drain().await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    nobody_delivers(&t).await;
    t.erased(&accepted).await;
    let tried = told(&server, "account.disconnecting").len();
    assert_eq!(tried, 1, "once, and then its record is gone");
    // The user stays, and with them what tells the end, until it is taken.
    up.store(true, Ordering::SeqCst);
    t.advance(Duration::from_secs(3600));
    t.drain().await;
    let last = deliveries(&t, id).await.pop().unwrap();
    assert_eq!(last.kind, "account.deleted");
    assert_eq!(last.state, DeliveryState::Delivered);
    assert!(last.tries > 1, "it was not taken at first");
}

async fn each_limit_is_told_once_a_day(stack: Stack) {
    let bytes = (CLIP.len() + 10).to_string();
    let settings = [
        ("plans.paid.posts_per_day", "2"),
        ("plans.paid.storage_bytes", bytes.as_str()),
        ("plans.paid.requests_per_minute", "3"),
    ];
    let mut t = TestApp::start_with(stack, &settings).await;
    let server = Server::start(|_| taking()).await;
    t.names();
    endpoint(&t, server.url("/hook").as_str(), &["quota.*"]).await;
    let (account, media) = (t.connect(CREATOR).await.id, t.upload().await);
    for day in 1..=2 {
        reach_every_limit(&t, account, media, day).await;
        t.drain().await;
        let bodies = told(&server, "quota.reached");
        assert_eq!(bodies.len(), 3 * day, "{bodies:?}");
        let limits: BTreeSet<&str> = bodies[3 * (day - 1)..]
            .iter()
            .map(|body| body["data"]["limit"].as_str().unwrap())
            .collect();
        let all = ["posts_per_day", "requests_per_minute", "storage_bytes"];
        assert_eq!(limits, BTreeSet::from(all));
        assert!(bodies.iter().all(|body| body["data"]["plan"] == "paid"));
        t.advance(Duration::from_secs(86_400));
    }
}

/// Comes to each limit twice, and goes on asking.
async fn reach_every_limit(t: &TestApp, account: AccountId, media: MediaId, day: usize) {
    for nth in 0..4 {
        let new = posts::NewPost {
            publish_at: Some(t.clock.now() + Duration::from_secs(5 * 86_400)),
            ..TestApp::inbox(account, media)
        };
        let key = format!("post-{day}-{nth}");
        let made = posts::create(&t.app, &t.actor, new, &key).await;
        assert_eq!(made.is_ok(), nth < 2, "{made:?}");
        if let Ok(post) = made {
            assert_eq!(post.state, PostState::Scheduled);
        }
    }
    for nth in 0..2 {
        let new = Announcement {
            filename: "more.mp4".to_owned(),
            size: 11,
            content_type: None,
            sha256: None,
            folder: None,
            reference: None,
        };
        let key = format!("file-{day}-{nth}");
        let begun = uploads::begin(&t.app, &t.actor, new, &key).await;
        let Err(Error::Refused(refusals)) = begun else {
            panic!("there is room for more than the plan gives");
        };
        assert_eq!(refusals[0].code, Code::QuotaExceeded);
    }
    for nth in 0..5 {
        let charged = requests::charge(&t.app, t.actor.user_id).await;
        let refused = matches!(charged, requests::Charged::Refused { .. });
        assert_eq!(refused, nth >= 3);
    }
}
