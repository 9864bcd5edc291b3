//! A key that is restricted to accounts, against every field of the schema and every id of another one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue::domain::{accounts, actor::Actor, connect};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tiktok_sim::Consent;

use super::{
    fixture::{Tenant, World, codes, next},
    posts::{inbox_post, photo_draft},
    samples::{id_paths, sample},
    sdl::Sdl,
    tenants::names_nothing,
};

/// Another account of the same user.
async fn second(world: &World, of: &Tenant, name: &str) -> Tenant {
    let page = connect::begin(&world.app, &of.actor, None).await.unwrap();
    world.sim.account(name, Default::default());
    let back = world
        .sim
        .consent(page.url.as_str(), name, &Consent::All)
        .unwrap();
    let query = url::Url::parse(&back).unwrap().query().unwrap().to_owned();
    let connected = connect::finish(&world.app, &query).await.unwrap();
    let id = connected.account.id;
    let account = accounts::get(world.app.db.read(), of.actor.user_id, id)
        .await
        .unwrap();
    Tenant {
        actor: of.actor.clone(),
        account,
    }
}

#[tokio::test]
async fn every_id_of_another_account_names_nothing_or_is_refused() {
    let world = World::new().await;
    let alice = world.tenant("alice").await;
    let other = second(&world, &alice, "alice.more").await;
    let media = world.media(&alice.actor).await;
    inbox_post(&world, &alice, &media, "own").await;
    let theirs = inbox_post(&world, &other, &world.media(&alice.actor).await, "theirs").await;
    let global = |name: &str, id: String| json!(URL_SAFE_NO_PAD.encode(format!("{name}:{id}")));
    let own = global("TikTokAccount", alice.account.id.to_string());
    let file = global("Media", media.id.to_string());
    let foreign = [
        global("TikTokAccount", other.account.id.to_string()),
        json!(theirs),
    ];
    let photos = json!(photo_draft(&world, &alice).await);
    let narrow = Actor {
        accounts: Some(vec![alice.account.id]),
        ..alice.actor.clone()
    };
    let sdl = Sdl::new();
    let (mut refused, mut blind) = (0, Vec::new());
    for (kind, root) in [
        ("query", "Query"),
        ("mutation", "Mutation"),
        ("subscription", "Subscription"),
    ] {
        for field in sdl.fields(root) {
            let name = field.name.node.as_str();
            for path in id_paths(&sdl, field) {
                for id in &foreign {
                    let value = |place: &str| match place {
                        place if place == path => Some(id.clone()),
                        place if place.ends_with("accountId") && place.starts_with("input") => {
                            Some(own.clone())
                        }
                        place if place.ends_with("mediaId") => Some(file.clone()),
                        place if place.ends_with("zone") => Some(json!("Europe/Berlin")),
                        // Only a post of photos can be given other photos.
                        "input.id" if path.contains("photos") => Some(photos.clone()),
                        _ => None,
                    };
                    let sample = sample(&sdl, kind, field, &value);
                    let answer = if kind == "subscription" {
                        let mut stream =
                            world.watch(Some(&narrow), &sample.document, sample.variables);
                        let first = next(&mut stream).await;
                        assert!(stream.next().await.is_none(), "goes on: {name}");
                        first
                    } else {
                        world
                            .run(Some(&narrow), &sample.document, sample.variables)
                            .await
                    };
                    if codes(&answer) == ["FORBIDDEN"] {
                        refused += 1;
                        continue;
                    }
                    assert!(
                        names_nothing(&answer, name, &path),
                        "{name} {path}: {answer}"
                    );
                    blind.push(format!("{name}.{path}"));
                }
            }
        }
    }
    assert!(refused > 20, "{refused}");
    for expected in [
        "node.id",
        "nodes.ids",
        "posts.filter.accountId",
        "creatorInfo.accountId",
        "createPost.input.accountId",
        "createPosts.input.posts.accountId",
        "cancelPost.input.id",
        "applySavedTexts.input.postId",
    ] {
        assert!(
            blind.iter().any(|place| place == expected),
            "{expected}: {blind:?}"
        );
    }
    let seen = world
        .run(
            Some(&narrow),
            "{ tiktokAccounts { id } posts { edges { node { accountId } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        seen["data"]["tiktokAccounts"],
        json!([{ "id": own }]),
        "{seen}"
    );
    let own_posts = [0, 1].map(|_| json!({ "node": { "accountId": own } }));
    assert_eq!(seen["data"]["posts"]["edges"], json!(own_posts));
    let still: Value = world
        .ask(
            &alice,
            "query ($id: ID!) { node(id: $id) { ... on Post { state } } }",
            json!({ "id": theirs }),
        )
        .await;
    assert_eq!(still["node"]["state"], "SCHEDULED");
}
