//! Every root field asks for a key and for a scope. A new field is tested without being named here.

use clipqueue::domain::actor::{Actor, Scope};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{
    fixture::{World, codes, next},
    samples::sample,
    sdl::Sdl,
};

/// Fields that any key may use.
const OPEN: [&str; 1] = ["viewer"];

/// Fields that anybody may use.
const PUBLIC: [&str; 1] = ["requestDeletion"];

/// The first answer to an operation of any kind.
async fn answer(
    world: &World,
    kind: &str,
    actor: Option<&Actor>,
    sample: &super::samples::Sample,
) -> Value {
    if kind == "subscription" {
        let mut stream = world.watch(actor, &sample.document, sample.variables.clone());
        let first = next(&mut stream).await;
        assert!(
            stream.next().await.is_none(),
            "goes on: {}",
            sample.document
        );
        return first;
    }
    world
        .run(actor, &sample.document, sample.variables.clone())
        .await
}

#[tokio::test]
async fn every_field_refuses_strangers_and_keys_without_its_scope() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let powerless = Actor {
        scopes: Vec::new(),
        ..tenant.actor.clone()
    };
    // `node` and `nodes` ask for the scope of the type that an id names.
    let account = world
        .ask(&tenant, "{ tiktokAccounts { id } }", json!({}))
        .await;
    let id = account["tiktokAccounts"][0]["id"].clone();
    let sdl = Sdl::new();
    let mut tested = 0;
    for (kind, root) in [
        ("query", "Query"),
        ("mutation", "Mutation"),
        ("subscription", "Subscription"),
    ] {
        for field in sdl.fields(root) {
            let value = |path: &str| matches!(path, "id" | "ids").then(|| id.clone());
            let sample = sample(&sdl, kind, field, &value);
            let name = &field.name.node;
            if PUBLIC.contains(&name.as_str()) {
                let stranger = answer(&world, kind, None, &sample).await;
                assert_eq!(stranger["errors"], Value::Null, "{name}: {stranger}");
                continue;
            }
            let stranger = answer(&world, kind, None, &sample).await;
            assert_eq!(codes(&stranger), ["UNAUTHENTICATED"], "{name}: {stranger}");
            let answer = answer(&world, kind, Some(&powerless), &sample).await;
            if OPEN.contains(&name.as_str()) {
                assert_eq!(answer["errors"], Value::Null, "{name}: {answer}");
            } else {
                assert_eq!(codes(&answer), ["FORBIDDEN"], "{name}: {answer}");
            }
            tested += 1;
        }
    }
    assert!(tested >= 30, "{tested}");
}

/// What each scope opens, by the name of the scope that the field's description asks for.
#[tokio::test]
async fn a_key_with_every_scope_but_one_is_refused_what_that_one_opens() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let sdl = Sdl::new();
    let mut opened = [0; Scope::ALL.len()];
    for (kind, root) in [
        ("query", "Query"),
        ("mutation", "Mutation"),
        ("subscription", "Subscription"),
    ] {
        for field in sdl.fields(root) {
            let text = &field.description.as_ref().unwrap().node;
            // Line breaks of the description may fall anywhere.
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for (index, scope) in Scope::ALL.into_iter().enumerate() {
                if !text.contains(&format!("Needs the scope `{scope}`")) {
                    continue;
                }
                opened[index] += 1;
                let actor = Actor {
                    scopes: Scope::ALL
                        .into_iter()
                        .filter(|other| *other != scope)
                        .collect(),
                    ..tenant.actor.clone()
                };
                let sample = sample(&sdl, kind, field, &|_| None);
                let answer = answer(&world, kind, Some(&actor), &sample).await;
                assert_eq!(
                    codes(&answer),
                    ["FORBIDDEN"],
                    "{}: {answer}",
                    field.name.node
                );
            }
        }
    }
    assert!(opened.iter().all(|fields| *fields > 0), "{opened:?}");
}

#[tokio::test]
async fn a_post_shows_its_account_and_file_only_to_keys_that_may_see_them() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    super::posts::inbox_post(&world, &tenant, &media, "first").await;
    let narrow = Actor {
        scopes: vec![Scope::PostsRead],
        ..tenant.actor.clone()
    };
    let document =
        "{ posts { edges { node { state account { id } media { id } nextAction { actor } } } } }";
    let answer = world.run(Some(&narrow), document, json!({})).await;
    assert_eq!(codes(&answer), ["FORBIDDEN", "FORBIDDEN"]);
    let node = &answer["data"]["posts"]["edges"][0]["node"];
    assert_eq!(node["state"], "SCHEDULED");
    assert_eq!(node["nextAction"]["actor"], "CLIPQUEUE");
}
