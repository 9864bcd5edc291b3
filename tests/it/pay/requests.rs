//! Asking: open to anybody, for this alone, not often, and without telling anybody who is known here.

use clipqueue::domain::{
    deletions::{self, ADDRESS_WINDOW, PER_ADDRESS, PER_NAME},
    erasure::search::{self, Needle},
    error::Code,
};
use clipqueue_entities::deletion_request;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

use super::{ADDRESS, CREATOR, document, request, send, smtp::Server, with_mail};
use crate::support::{
    app::{Stack, TestApp},
    flows::{MINUTE, refusals},
};

crate::on_both_stacks!(
    strangers_may_ask_for_this_and_nothing_else,
    the_same_key_gives_the_same_request,
    few_requests_are_taken_from_one_address_and_for_one_name,
);
crate::on_both_stacks_by_hand!(
    known_and_unknown_names_are_answered_alike,
    what_was_written_is_sealed_and_names_no_caller,
);

const ASK: &str = "mutation ($input: RequestDeletionInput!) { requestDeletion(input: $input) {
    ticket { code proofCode statusUrl dueAt } userErrors { field code retryable retryAt } } }";

fn input(username: &str, key: &str) -> Value {
    json!({ "input": { "username": username, "idempotencyKey": key } })
}

async fn strangers_may_ask_for_this_and_nothing_else(t: TestApp) {
    let (parts, body) = send(&t, document(None, ASK, input("zelda", "1")), "192.0.2.1").await;
    assert_eq!(parts.status, 200);
    let answer: Value = serde_json::from_str(&body).unwrap();
    let ticket = &answer["data"]["requestDeletion"]["ticket"];
    assert_eq!(ticket["code"].as_str().unwrap().len(), 32, "{body}");
    assert!(
        ticket["statusUrl"]
            .as_str()
            .unwrap()
            .ends_with(ticket["code"].as_str().unwrap())
    );

    let two = "mutation ($input: RequestDeletionInput!) {
        requestDeletion(input: $input) { userErrors { code } }
        deleteAccount(input: { confirmName: \"ada\", idempotencyKey: \"x\" }) { userErrors { code } } }";
    let twice = "mutation ($input: RequestDeletionInput!) {
        a: requestDeletion(input: $input) { userErrors { code } }
        b: requestDeletion(input: $input) { userErrors { code } } }";
    let spread = "mutation ($input: RequestDeletionInput!) { ...f }
        fragment f on Mutation { requestDeletion(input: $input) { userErrors { code } } }";
    let beside = "mutation a($input: RequestDeletionInput!) {
        requestDeletion(input: $input) { userErrors { code } } } query b { viewer { name } }";
    let schema = "{ __schema { types { name } } }";
    for text in [
        "{ viewer { name } }",
        two,
        twice,
        spread,
        beside,
        schema,
        "nonsense",
        "",
    ] {
        let (parts, body) = send(&t, document(None, text, input("zelda", "2")), "192.0.2.1").await;
        assert_eq!(parts.status, 401, "{text}: {body}");
        assert!(body.contains("UNAUTHENTICATED"), "{body}");
    }
    let long = document(None, ASK, input(&"z".repeat(20_000), "3"));
    assert_eq!(send(&t, long, "192.0.2.1").await.0.status, 401);
    // A key that is wrong is not no key.
    let (parts, _) = send(
        &t,
        document(Some("cq_x"), ASK, input("z", "4")),
        "192.0.2.1",
    )
    .await;
    assert_eq!(parts.status, 401);
    // A key may ask, too.
    let answer = t.graphql(Some(&t.key), ASK, input("zelda", "5")).await;
    assert_ne!(
        answer["data"]["requestDeletion"]["ticket"],
        Value::Null,
        "{answer}"
    );
    let wrong = t.graphql(None, ASK, input("not a name", "6")).await;
    let errors = &wrong["data"]["requestDeletion"]["userErrors"];
    assert_eq!(errors[0]["field"], json!(["input", "username"]), "{wrong}");
}

async fn the_same_key_gives_the_same_request(t: TestApp) {
    let one = deletions::ask(&t.app, None, request("zelda", None), "key")
        .await
        .unwrap();
    let again = deletions::ask(&t.app, None, request("zelda", None), "key")
        .await
        .unwrap();
    assert_eq!((one.id, &one.code), (again.id, &again.code));
    // Another's key is no way into a request.
    let other = deletions::ask(&t.app, None, request("otto", None), "key")
        .await
        .unwrap();
    assert_ne!(one.id, other.id);
    let count = deletion_request::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(count, 2);
    assert_eq!(t.jobs("look_at_profile").await.len(), 2);
}

async fn few_requests_are_taken_from_one_address_and_for_one_name(t: TestApp) {
    let ask = async |from: &str, name: &str, key: String| {
        let from = Some(from.parse().unwrap());
        deletions::ask(&t.app, from, request(name, None), &key).await
    };
    for nth in 0..PER_ADDRESS {
        ask("192.0.2.1", &format!("name{nth}"), format!("a{nth}"))
            .await
            .unwrap();
    }
    let refused = refusals(ask("192.0.2.1", "another", "b".to_owned()).await);
    assert_eq!(refused[0].code, Code::QuotaExceeded);
    let again = refused[0].retry_at.unwrap();
    assert!(again > t.clock.now() && again <= t.clock.now() + ADDRESS_WINDOW + MINUTE);
    // The same one again is no other; another address is somebody else.
    ask("192.0.2.1", "name0", "a0".to_owned()).await.unwrap();
    for nth in 0..PER_NAME {
        ask(&format!("192.0.2.{}", 10 + nth), "zelda", format!("c{nth}"))
            .await
            .unwrap();
    }
    let refused = refusals(ask("192.0.2.99", "@Zelda", "d".to_owned()).await);
    assert_eq!(refused[0].code, Code::QuotaExceeded);
    t.advance(ADDRESS_WINDOW + MINUTE);
    ask("192.0.2.1", "another", "b".to_owned()).await.unwrap();
}

async fn known_and_unknown_names_are_answered_alike(stack: Stack) {
    let server = Server::start().await;
    let scopes = "user.info.basic,user.info.profile,video.list,video.upload,video.publish";
    let mut t = with_mail(stack, &server, &[("tiktok.scopes", scopes)]).await;
    t.connect(CREATOR).await;
    let mut answers = Vec::new();
    for name in [CREATOR, "somebody.else"] {
        let mut variables = input(name, name);
        variables["input"]["email"] = json!(ADDRESS);
        let (parts, body) = send(&t, document(None, ASK, variables), "192.0.2.1").await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        let ticket = answer["data"]["requestDeletion"]["ticket"].clone();
        let mut headers: Vec<String> = parts.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        answers.push((parts.status, headers, body.len(), ticket));
    }
    assert_eq!(answers[0].0, answers[1].0);
    assert_eq!(answers[0].1, answers[1].1);
    assert_eq!(answers[0].2, answers[1].2, "not even the length tells");
    assert_eq!(answers[0].3["dueAt"], answers[1].3["dueAt"]);
    // Nor does the page, also after looks were taken; nor the letter.
    for _ in 0..3 {
        t.advance(MINUTE * 11);
        t.drain().await;
    }
    let mut pages = Vec::new();
    for (_, _, _, ticket) in &answers {
        let code = ticket["code"].as_str().unwrap();
        let path = format!("/privacy/requests/{code}");
        let page = axum::http::Request::get(path)
            .body(axum::body::Body::empty())
            .unwrap();
        let (parts, page) = send(&t, page, "192.0.2.1").await;
        let proof = ticket["proofCode"].as_str().unwrap();
        pages.push((
            parts.status,
            page.replace(proof, "PROOF").replace(code, "CODE"),
        ));
    }
    assert_eq!(pages[0], pages[1]);
    let letters = server.letters();
    assert_eq!(letters.len(), 2);
    let masked = |at: usize| {
        let code = answers[at].3["code"].as_str().unwrap();
        let proof = answers[at].3["proofCode"].as_str().unwrap();
        let letter = letters
            .iter()
            .find(|letter| letter.says().contains(proof))
            .unwrap();
        let says = letter.says().replace(code, "CODE").replace(proof, "PROOF");
        says.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    assert_eq!(masked(0), masked(1));
}

async fn what_was_written_is_sealed_and_names_no_caller(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    let new = deletions::NewRequest {
        profile_url: Some("https://www.tiktok.com/@zelda.quixote".to_owned()),
        description: Some("Dashboard and windmill schedule".to_owned()),
        job_ids: vec!["quixotic-job-7".to_owned()],
        ..request(CREATOR, Some(ADDRESS))
    };
    let from = "198.51.100.77".parse().unwrap();
    let ticket = deletions::ask(&t.app, Some(from), new, "key")
        .await
        .unwrap();
    t.drain().await;
    let seen = deletions::judge::get(&t.app, ticket.id).await.unwrap();
    assert_eq!(seen.details.unwrap().job_ids, ["quixotic-job-7"]);
    let secrets = [
        CREATOR,
        ADDRESS,
        "windmill schedule",
        "quixotic-job-7",
        "198.51.100.77",
        ticket.code.as_str(),
        ticket.proof.as_str(),
    ];
    let needle = Needle::new(secrets.map(str::to_owned)).unwrap();
    let found = search::everywhere(&t.app, &needle).await.unwrap();
    assert!(found.findings().is_empty(), "{:?}", found.findings());
}
