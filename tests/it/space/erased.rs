//! Leaving takes plans, counts, labels, texts and lists of keys with it.

use clipqueue::{
    config::PlanName,
    domain::{
        actor::Scope,
        api_keys, erasure, key_accounts,
        library::{self, Edit, texts},
        plans,
    },
};
use clipqueue_entities::saved_text::TextKind;
use serde_json::json;

use crate::support::app::TestApp;

crate::on_both_stacks!(
    a_user_leaves_with_plan_and_library,
    an_account_leaves_the_lists_of_keys,
);

async fn a_user_leaves_with_plan_and_library(mut t: TestApp) {
    t.reconfigure(|config| config.plans.paid.requests_per_minute = Some(100));
    let user = t.actor.user_id;
    let own = t.connect("zelda.quixote").await;
    let media = t.upload().await;
    let edit = Edit {
        folder: Some("quixotic-folder".to_owned()),
        labels: Some(vec!["quixotic-label".to_owned()]),
        caption: Some(Some("quixotic-note".to_owned())),
        reference: Some(Some("quixotic-reference".to_owned())),
    };
    library::edit(&t.app, &t.actor, media, edit).await.unwrap();
    let name = "quixotic-name".to_owned();
    texts::save(&t.app, &t.actor, TextKind::Caption, name, "quixotic-body")
        .await
        .unwrap();
    plans::set(&t.app, Some(&t.actor), "ada", PlanName::Paid, None)
        .await
        .unwrap();
    t.post(TestApp::inbox(own.id, media)).await;
    // Its window of requests is a key of the transport.
    t.ask(&t.key, "{ viewer { name } }", json!({})).await;
    let more = [
        "quixotic-folder",
        "quixotic-label",
        "quixotic-note",
        "quixotic-reference",
        "quixotic-name",
        "quixotic-body",
    ];
    let identifiers = t.known_by(user, None, &more).await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
}

async fn an_account_leaves_the_lists_of_keys(mut t: TestApp) {
    let (own, other) = (
        t.connect("zelda.quixote").await,
        t.connect("otto.wanderlust").await,
    );
    let both = [own.id, other.id];
    let make = async |accounts: &[_], key: &str| {
        let made = api_keys::create_by(
            &t.app,
            &t.actor,
            "narrow",
            &[Scope::PostsRead],
            None,
            Some(accounts),
            key,
        );
        made.await.unwrap().0.id
    };
    let (two, one) = (make(&both, "two").await, make(&both[..1], "one").await);
    let identifiers = t.known_by(t.actor.user_id, Some(own.id), &[]).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
    let list =
        async |id| key_accounts::of(&api_keys::get(&t.app, t.actor.user_id, id).await.unwrap());
    assert_eq!(list(two).await, Some(vec![other.id]));
    // A key whose last account is gone is for none, not for all.
    assert_eq!(list(one).await, Some(Vec::new()));
}
