//! Another tenant's ids answer as if they named nothing, wherever an id can be given.

use async_graphql::ID;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue::domain::{
    api_keys, exports,
    library::texts,
    sources,
    webhooks::{self, replay},
};
use clipqueue_entities::saved_text::TextKind;
use futures::StreamExt as _;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::{
    fixture::{Tenant, World, codes, next},
    posts::{inbox_post, photo_draft},
    samples::{id_paths, sample},
    sdl::Sdl,
};

/// What operators do to things of any tenant, by design; it needs an operator's scope.
const OF_ANY_TENANT: [&str; 2] = ["approveDeletion", "settlePost"];

fn global(name: &str, uuid: impl std::fmt::Display) -> Value {
    json!(ID(URL_SAFE_NO_PAD.encode(format!("{name}:{uuid}"))))
}

/// One id of each type that belongs to `tenant`.
async fn belongings(world: &World, tenant: &Tenant) -> Vec<Value> {
    let media = world.media(&tenant.actor).await;
    let post = inbox_post(world, tenant, &media, "theirs").await;
    let key = api_keys::create(
        &world.app,
        tenant.actor.user_id,
        "theirs",
        &[clipqueue::domain::actor::Scope::PostsRead],
        None,
    )
    .await
    .unwrap();
    let new = webhooks::NewEndpoint {
        url: "https://hooks.example.com/".to_owned(),
        description: None,
        kinds: Vec::new(),
    };
    let endpoint = webhooks::create(&world.app, &tenant.actor, new, "hook").await;
    let endpoint = endpoint.unwrap().0.id;
    let delivery = replay::test(&world.app, &tenant.actor, endpoint, "test").await;
    let source = sources::add(
        &world.app,
        &tenant.actor,
        "https://media.example.com/",
        "source",
    );
    let export = exports::begin(&world.app, &tenant.actor, "export").await;
    let text = texts::save(
        &world.app,
        &tenant.actor,
        TextKind::Caption,
        "theirs".to_owned(),
        "a caption",
    )
    .await;
    vec![
        global("TikTokAccount", tenant.account.id),
        global("Media", media.id),
        json!(post),
        global("ApiKey", key.key.id),
        json!(photo_draft(world, tenant).await),
        global("WebhookEndpoint", endpoint),
        global("WebhookDelivery", delivery.unwrap().id),
        global("VerifiedSource", source.await.unwrap().id),
        global("DataExport", export.unwrap().id),
        global("SavedText", text.unwrap().id),
    ]
}

/// Whether an answer says that the id names nothing: null, NOT_FOUND, or a refusal or check with
/// that code about the field.
pub(super) fn names_nothing(answer: &Value, field: &str, path: &str) -> bool {
    if codes(answer) == ["NOT_FOUND"] {
        return true;
    }
    let value = &answer["data"][field];
    // A request for several posts has errors for each row.
    let rows = value["rows"].as_array().map_or(&[][..], Vec::as_slice);
    if rows.iter().any(|row| refers_to(&row["userErrors"], path)) {
        return true;
    }
    let list = value.get("userErrors").or_else(|| value.get("checks"));
    match list {
        Some(entries) => refers_to(entries, path),
        None => {
            answer["errors"] == Value::Null && (*value == Value::Null || *value == json!([null]))
        }
    }
}

/// Whether one of the errors says that what the field names is not there.
fn refers_to(entries: &Value, path: &str) -> bool {
    entries.as_array().unwrap().iter().any(|entry| {
        entry["code"] == "NOT_FOUND"
            && entry["field"].as_array().unwrap().last().unwrap()
                == path.rsplit('.').next().unwrap()
    })
}

#[tokio::test]
async fn every_id_of_another_tenant_is_not_found_everywhere() {
    let world = World::new().await;
    let alice = world.tenant("alice").await;
    let bob = world.tenant("bob").await;
    let own = belongings(&world, &alice).await;
    let foreign = belongings(&world, &bob).await;
    let before = rows(&world, &bob).await;
    let sdl = Sdl::new();
    let mut places = Vec::new();
    for (kind, root) in [
        ("query", "Query"),
        ("mutation", "Mutation"),
        ("subscription", "Subscription"),
    ] {
        for field in sdl.fields(root) {
            if OF_ANY_TENANT.contains(&field.name.node.as_str()) {
                let text = &field.description.as_ref().unwrap().node;
                assert!(text.contains("`ops:admin`"), "{}", field.name.node);
                continue;
            }
            for path in id_paths(&sdl, field) {
                for id in &foreign {
                    let value = |place: &str| match place {
                        place if place == path => Some(id.clone()),
                        // The other ids of the request are good ones.
                        place if place.ends_with("accountId") && place.starts_with("input") => {
                            Some(own[0].clone())
                        }
                        place if place.ends_with("mediaId") => Some(own[1].clone()),
                        place if place.ends_with("zone") => Some(json!("Europe/Berlin")),
                        // Only a post of photos can be given other photos.
                        "input.id" if path.contains("photos") => Some(own[4].clone()),
                        _ => None,
                    };
                    let sample = sample(&sdl, kind, field, &value);
                    let actor = Some(&alice.actor);
                    let answer = if kind == "subscription" {
                        let mut stream = world.watch(actor, &sample.document, sample.variables);
                        let first = next(&mut stream).await;
                        assert!(
                            stream.next().await.is_none(),
                            "goes on: {}",
                            sample.document
                        );
                        first
                    } else {
                        world.run(actor, &sample.document, sample.variables).await
                    };
                    let name = field.name.node.as_str();
                    assert!(
                        names_nothing(&answer, name, &path),
                        "{name} {path}: {answer}"
                    );
                }
                places.push(format!("{}.{path}", field.name.node));
            }
        }
    }
    assert_eq!(
        rows(&world, &bob).await,
        before,
        "something of bob's changed"
    );
    for expected in [
        "node.id",
        "nodes.ids",
        "creatorInfo.accountId",
        "postingBudget.accountId",
        "posts.filter.accountId",
        "preflight.input.mediaId",
        "createPost.input.accountId",
        "createPosts.input.posts.accountId",
        "createPosts.input.posts.mediaId",
        "releasePost.input.id",
        "cancelPost.input.id",
        "revokeApiKey.input.id",
        "deleteMedia.input.id",
        "postUpdated.accountId",
        "postEvents.postId",
        "webhookDeliveries.endpointId",
        "updateWebhookEndpoint.input.id",
        "rotateWebhookSecret.input.id",
        "deleteWebhookEndpoint.input.id",
        "sendTestWebhook.input.id",
        "replayWebhookDelivery.input.id",
        "replayFailedWebhooks.input.id",
        "checkVerifiedSource.input.id",
        "removeVerifiedSource.input.id",
        "updateMedia.input.id",
        "deleteSavedText.input.id",
        "applySavedTexts.input.captionId",
        "composeCaption.input.hashtagSetIds",
        "rotateApiKey.input.id",
        "createApiKey.input.accountIds",
    ] {
        assert!(
            places.iter().any(|place| place == expected),
            "{expected} is missing in {places:?}"
        );
    }
}

/// Everything of `tenant` that a mutation could have touched.
async fn rows(world: &World, tenant: &Tenant) -> Vec<String> {
    use clipqueue_entities::{
        account, api_key, media, post, saved_text, verified_source, webhook_delivery,
        webhook_endpoint,
    };
    let (db, user) = (world.app.db.read(), tenant.actor.user_id);
    let posts = post::Entity::find().filter(post::Column::UserId.eq(user));
    let files = media::Entity::find().filter(media::Column::UserId.eq(user));
    let keys = api_key::Entity::find().filter(api_key::Column::UserId.eq(user));
    let accounts = account::Entity::find().filter(account::Column::UserId.eq(user));
    let endpoints =
        webhook_endpoint::Entity::find().filter(webhook_endpoint::Column::UserId.eq(user));
    let deliveries =
        webhook_delivery::Entity::find().filter(webhook_delivery::Column::UserId.eq(user));
    let sources = verified_source::Entity::find().filter(verified_source::Column::UserId.eq(user));
    let texts = saved_text::Entity::find().filter(saved_text::Column::UserId.eq(user));
    vec![
        format!("{:?}", texts.all(db).await.unwrap()),
        format!("{:?}", endpoints.all(db).await.unwrap()),
        format!("{:?}", deliveries.all(db).await.unwrap()),
        format!("{:?}", sources.all(db).await.unwrap()),
        format!("{:?}", posts.all(db).await.unwrap()),
        format!("{:?}", files.all(db).await.unwrap()),
        format!("{:?}", keys.all(db).await.unwrap()),
        format!("{:?}", accounts.all(db).await.unwrap()),
    ]
}

#[tokio::test]
async fn lists_and_streams_hold_nothing_of_another_tenant() {
    let world = World::new().await;
    let alice = world.tenant("alice").await;
    let bob = world.tenant("bob").await;
    belongings(&world, &bob).await;
    let answer = world
        .ask(
            &alice,
            "{ posts { edges { cursor } } media { edges { cursor } } apiKeys { id } webhookEndpoints { id } verifiedSources { id } mediaImports { edges { cursor } } tiktokAccounts { username displayName } }",
            json!({}),
        )
        .await;
    assert_eq!(answer["posts"]["edges"], json!([]));
    assert_eq!(answer["media"]["edges"], json!([]));
    assert_eq!(answer["apiKeys"], json!([]));
    assert_eq!(answer["webhookEndpoints"], json!([]));
    assert_eq!(answer["verifiedSources"], json!([]));
    assert_eq!(answer["mediaImports"]["edges"], json!([]));
    assert_eq!(answer["tiktokAccounts"].as_array().unwrap().len(), 1);
}
