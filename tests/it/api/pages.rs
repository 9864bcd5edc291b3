//! Connections: every page, in both directions, tells the truth about what lies beyond.

use serde_json::{Value, json};

use super::{
    fixture::{Tenant, World, codes},
    posts::inbox_post,
};

async fn page(world: &World, tenant: &Tenant, arguments: &str) -> (Vec<String>, Value) {
    let document = format!(
        "{{ posts({arguments}) {{ edges {{ cursor node {{ experimentLabel }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    let mut answer = world.ask(tenant, &document, json!({})).await;
    let edges = answer["posts"]["edges"].as_array().unwrap();
    let labels = edges
        .iter()
        .map(|edge| edge["node"]["experimentLabel"].as_str().unwrap().to_owned())
        .collect();
    (labels, answer["posts"]["pageInfo"].take())
}

fn around(info: &Value) -> (bool, bool) {
    (
        info["hasPreviousPage"].as_bool().unwrap(),
        info["hasNextPage"].as_bool().unwrap(),
    )
}

#[tokio::test]
async fn pages_forward_and_backward_meet_every_post_once() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    for label in ["a", "b", "c", "d", "e"] {
        inbox_post(&world, &tenant, &media, label).await;
    }
    let (labels, first) = page(&world, &tenant, "first: 2").await;
    assert_eq!(
        (labels, around(&first)),
        (vec!["e".into(), "d".into()], (false, true))
    );
    let end = &first["endCursor"];
    let (labels, second) = page(&world, &tenant, &format!("first: 2, after: {end}")).await;
    assert_eq!(
        (labels, around(&second)),
        (vec!["c".into(), "b".into()], (true, true))
    );
    let end = &second["endCursor"];
    let (labels, third) = page(&world, &tenant, &format!("first: 2, after: {end}")).await;
    assert_eq!((labels, around(&third)), (vec!["a".into()], (true, false)));
    let end = &third["endCursor"];
    let (labels, beyond) = page(&world, &tenant, &format!("first: 2, after: {end}")).await;
    assert_eq!((labels, around(&beyond)), (vec![], (true, false)));
    assert_eq!(beyond["startCursor"], Value::Null);

    let (labels, last) = page(&world, &tenant, "last: 2").await;
    assert_eq!(
        (labels, around(&last)),
        (vec!["b".into(), "a".into()], (true, false))
    );
    let start = &last["startCursor"];
    let (labels, middle) = page(&world, &tenant, &format!("last: 2, before: {start}")).await;
    assert_eq!(
        (labels, around(&middle)),
        (vec!["d".into(), "c".into()], (true, true))
    );
    let start = &middle["startCursor"];
    let (labels, front) = page(&world, &tenant, &format!("last: 2, before: {start}")).await;
    assert_eq!((labels, around(&front)), (vec!["e".into()], (false, true)));
}

#[tokio::test]
async fn filters_narrow_a_list() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    for label in ["a", "b"] {
        inbox_post(&world, &tenant, &media, label).await;
    }
    for (filter, count) in [
        ("{ experimentLabel: \"a\" }", 1),
        ("{ states: [SCHEDULED, HELD] }", 2),
        ("{ states: [] }", 0),
        ("{ phase: SCHEDULED }", 2),
        ("{ phase: FINISHED }", 0),
        ("{ phase: SCHEDULED, states: [HELD] }", 0),
        ("{ uploadReference: \"none\" }", 0),
    ] {
        let (labels, _) = page(&world, &tenant, &format!("filter: {filter}")).await;
        assert_eq!(labels.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn jobs_and_files_page_backward_from_the_end() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    world.media(&tenant.actor).await;
    for label in ["a", "b", "c"] {
        inbox_post(&world, &tenant, &media, label).await;
    }
    for list in ["jobs", "media"] {
        let all = format!("{{ {list} {{ edges {{ node {{ id }} }} }} }}");
        let all = world.ask(&tenant, &all, json!({})).await;
        let all = all[list]["edges"].as_array().unwrap().clone();
        let last = format!(
            "{{ {list}(last: 1) {{ edges {{ cursor node {{ id }} }} pageInfo {{ hasPreviousPage hasNextPage }} }} }}"
        );
        let last = world.ask(&tenant, &last, json!({})).await;
        let edge = &last[list]["edges"][0];
        assert_eq!(edge["node"], all.last().unwrap()["node"], "{list}");
        assert_eq!(around(&last[list]["pageInfo"]), (true, false), "{list}");
        let cursor = &edge["cursor"];
        let before = format!(
            "{{ {list}(last: 1, before: {cursor}) {{ edges {{ node {{ id }} }} pageInfo {{ hasPreviousPage hasNextPage }} }} }}"
        );
        let before = world.ask(&tenant, &before, json!({})).await;
        assert_eq!(
            before[list]["edges"][0]["node"],
            all[all.len() - 2]["node"],
            "{list}"
        );
        let (_, next) = around(&before[list]["pageInfo"]);
        assert!(next, "{list}");
    }
}

#[tokio::test]
async fn unusable_page_arguments_are_refused_with_a_code() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    inbox_post(&world, &tenant, &media, "a").await;
    let answer = world
        .ask(&tenant, "{ media { edges { cursor } } }", json!({}))
        .await;
    let of_media = &answer["media"]["edges"][0]["cursor"];
    for arguments in [
        "first: 0".to_owned(),
        "first: 101".to_owned(),
        "last: -1".to_owned(),
        "first: 1, last: 1".to_owned(),
        "first: 1, before: \"x\"".to_owned(),
        "after: \"nonsense\"".to_owned(),
        format!("after: {of_media}"),
    ] {
        let document = format!("{{ posts({arguments}) {{ edges {{ cursor }} }} }}");
        let answer = world.run(Some(&tenant.actor), &document, json!({})).await;
        assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{arguments}: {answer}");
    }
}
