//! What lies around a creator's posts goes with them: counters, webhooks and what they told, files from
//! addresses of their own.

use clipqueue::domain::erasure;
use clipqueue_entities::{
    account_day, metric_plan, metric_sample, tracked_video, webhook_endpoint,
};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::{CREATOR, OTHER, counts};
use crate::{
    metrics::support::{plan, samples, start, videos},
    outbound::{
        imports::{begin, reload, verified},
        server::{Answer, Server},
        webhooks::{deliveries, endpoint, taking},
    },
    support::{
        app::{CLIP, Stack, TestApp},
        flows::HOUR,
    },
};

crate::on_both_stacks_by_hand!(
    a_user_goes_with_their_webhooks_sources_and_counters,
    an_account_goes_with_what_was_told_and_read_of_it,
);

/// An address that is told of everything, and one that a file was fetched from. It stays open.
async fn surroundings(t: &mut TestApp) -> Server {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/quixotic/clip.mp4" => Answer::whole("200 OK", "", CLIP),
        _ => taking(),
    })
    .await;
    t.names();
    verified(t, &server).await;
    endpoint(t, server.url("/quixotic-hook").as_str(), &[]).await;
    let import = begin(t, server.url("/quixotic/clip.mp4").as_str()).await;
    t.drain().await;
    assert!(reload(t, &import).await.media_id.is_some());
    server
}

async fn a_user_goes_with_their_webhooks_sources_and_counters(stack: Stack) {
    let mut t = start(stack).await;
    let server = surroundings(&mut t).await;
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    t.sim.add_video(CREATOR, "Quixotic by hand");
    t.advance(HOUR);
    plan(&mut t).await;
    let video = videos(&t, own.id).await.remove(0);
    assert!(!samples(&t, &video).await.is_empty());
    assert!(server.asked().len() > 5, "{:?}", server.asked());
    let more = ["quixotic-hook", "quixotic/clip.mp4", "Quixotic"];
    let identifiers = t.known_by(t.actor.user_id, None, &more).await;

    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;

    t.assert_gone(&identifiers, &status).await;
    let deleted = counts(&status, "delete_rows");
    for table in [
        "webhook_endpoints",
        "webhook_deliveries",
        "verified_sources",
        "media_imports",
        "tracked_videos",
        "metric_samples",
        "metric_plans",
    ] {
        assert!(deleted[table].as_u64().unwrap() > 0, "{table}: {deleted}");
    }
}

async fn an_account_goes_with_what_was_told_and_read_of_it(stack: Stack) {
    let mut t = start(stack).await;
    let _server = surroundings(&mut t).await;
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    t.busy_account(&own).await;
    let media = t.upload().await;
    t.post(TestApp::captioned(other.id, media, "Wanderlust"))
        .await;
    for name in [CREATOR, OTHER] {
        t.sim.add_video(name, "by hand");
    }
    t.advance(HOUR);
    plan(&mut t).await;
    let address = webhook_endpoint::Entity::find()
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap()
        .id;
    let told = |rows: &[clipqueue_entities::webhook_delivery::Model]| {
        let of = |id| rows.iter().filter(|row| row.account_id == Some(id)).count();
        (of(own.id), of(other.id))
    };
    let before = told(&deliveries(&t, address).await);
    assert!(before.0 > 5 && before.1 > 0, "{before:?}");
    let identifiers = t.known_by(t.actor.user_id, Some(own.id), &[]).await;

    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;

    t.assert_gone(&identifiers, &status).await;
    let after = told(&deliveries(&t, address).await);
    assert_eq!(after.0, 0);
    assert!(after.1 >= before.1, "the other account's are kept");
    let db = t.app.db.read();
    assert!(videos(&t, own.id).await.is_empty());
    let kept = videos(&t, other.id).await;
    assert!(!kept.is_empty());
    assert_eq!(
        tracked_video::Entity::find().count(db).await.unwrap(),
        kept.len() as u64
    );
    assert!(metric_sample::Entity::find().count(db).await.unwrap() > 0);
    assert_eq!(metric_plan::Entity::find().count(db).await.unwrap(), 1);
    let days = account_day::Entity::find().all(db).await.unwrap();
    assert!(days.iter().all(|day| day.account_id == other.id));
}
