//! What a request runs, and what its answer says: operation, variables, errors, nulls.

use serde_json::{Value, json};

use super::toy::{Toy, code};

#[tokio::test]
async fn an_operation_is_picked_by_name() {
    let toy = Toy::open().await;
    let ask = |query: &'static str, name: Value| {
        let body = json!({ "query": query, "operationName": name }).to_string();
        toy.send(
            toy.post(body)
                .header("accept", "application/graphql-response+json"),
        )
    };
    let two = "query A { a: hello } query B { b: hello }";
    assert_eq!(
        ask(two, json!("B")).await.1["data"],
        json!({ "b": "world" })
    );
    assert_eq!(ask("query A { hello }", Value::Null).await.0, 200);
    assert_eq!(ask("query A { hello }", json!("A")).await.0, 200);
    for (query, name) in [
        (two, Value::Null),
        (two, json!("C")),
        ("{ hello }", json!("A")),
    ] {
        let (status, answer) = ask(query, name).await;
        assert_eq!(
            (status, code(&answer)),
            (400, "OPERATION_RESOLUTION_FAILURE")
        );
    }
    let (status, answer) = ask("subscription { forever }", Value::Null).await;
    assert_eq!((status, code(&answer)), (400, "WRONG_TRANSPORT"));
}

#[tokio::test]
async fn variables_are_checked_before_anything_runs() {
    let toy = Toy::open().await;
    let bad = [
        ("query($t: String!) { echo(text: $t) }", json!({})),
        (
            "query($t: String!) { echo(text: $t) }",
            json!({ "t": null }),
        ),
        ("query($t: String!) { echo(text: $t) }", json!({ "t": 7 })),
        (
            "query($t: String!) { hello echo(text: $t) }",
            json!({ "t": ["x"] }),
        ),
        (
            "query($n: Int!) { double(n: $n) }",
            json!({ "n": 2_147_483_648_i64 }),
        ),
        (
            "query($n: Int!) { double(n: $n) }",
            json!({ "n": -2_147_483_649_i64 }),
        ),
        ("query($n: Int!) { double(n: $n) }", json!({ "n": 1.5 })),
        ("query($n: Int!) { double(n: $n) }", json!({ "n": "7" })),
        ("query($w: Wish!) { wish(wish: $w) }", json!({ "w": {} })),
        (
            "query($w: Wish!) { wish(wish: $w) }",
            json!({ "w": { "text": "a", "nosuch": 1 } }),
        ),
        (
            "query($w: Wish!) { wish(wish: $w) }",
            json!({ "w": { "text": "a", "tags": ["b", 7] } }),
        ),
        ("query($unused: ID!) { hello }", json!({ "unused": null })),
    ];
    for (query, variables) in bad {
        let (status, answer) = toy.run(query, variables.clone()).await;
        let unused = query.contains("unused");
        let expected = if unused {
            "GRAPHQL_VALIDATION_FAILED"
        } else {
            "BAD_USER_INPUT"
        };
        assert_eq!(
            (status, code(&answer)),
            (400, expected),
            "{query} {variables}: {answer}"
        );
        assert!(answer.get("data").is_none(), "{answer}");
    }
    let good = [
        ("query($t: String!) { echo(text: $t) }", json!({ "t": "x" })),
        ("query($t: String! = \"d\") { echo(text: $t) }", json!({})),
        ("query($n: Int!) { double(n: $n) }", json!({ "n": 7 })),
        (
            "query($w: Wish!) { wish(wish: $w) }",
            json!({ "w": { "text": "a", "tags": ["b"] } }),
        ),
        (
            "query($w: Wish!) { wish(wish: $w) }",
            json!({ "w": { "text": "a", "count": null } }),
        ),
    ];
    for (query, variables) in good {
        let (status, answer) = toy.run(query, variables).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.get("errors").is_none(), "{answer}");
    }
    let (_, answer) = toy
        .run(
            "query($w: Wish!) { wish(wish: $w) }",
            json!({ "w": { "text": "a", "tags": ["b", 7] } }),
        )
        .await;
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("w.tags[1]"), "{message}");
}

#[tokio::test]
async fn a_literal_out_of_range_is_the_callers_mistake() {
    let toy = Toy::open().await;
    let (_, answer) = toy.run("{ double(n: 3000000000) }", Value::Null).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
}

#[tokio::test]
async fn internal_errors_leave_without_their_text() {
    let toy = Toy::open().await;
    for (query, path) in [
        ("{ hello broken }", json!(["broken"])),
        ("{ panics }", Value::Null),
    ] {
        let (_, answer) = toy.run(query, Value::Null).await;
        assert_eq!(code(&answer), "INTERNAL");
        let text = answer.to_string();
        assert!(
            !text.contains("secret") && !text.contains("digit"),
            "{text}"
        );
        assert_eq!(answer["errors"][0]["path"], path);
        let id = answer["errors"][0]["extensions"]["errorId"]
            .as_str()
            .unwrap();
        assert!(uuid::Uuid::parse_str(id).is_ok());
    }
    let (_, answer) = toy.run("{ hello missing }", Value::Null).await;
    assert_eq!(code(&answer), "NOT_FOUND");
    assert_eq!(answer["data"], json!({ "hello": "world", "missing": null }));
}

#[tokio::test]
async fn mistakes_in_the_document_are_told_without_suggestions() {
    let toy = Toy::open().await;
    let (_, answer) = toy.run("{ helo }", Value::Null).await;
    assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED");
    assert!(!answer.to_string().contains("hello"), "{answer}");
    let (_, answer) = toy.run("{ hello(", Value::Null).await;
    assert_eq!(code(&answer), "GRAPHQL_PARSE_FAILED");
    assert_eq!(answer["errors"][0]["locations"][0]["line"], 1);
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("Syntax error: expected"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[tokio::test]
async fn failed_fields_are_null_or_make_their_surroundings_null() {
    let toy = Toy::open().await;
    let cases = [
        ("{ frail { may } }", json!({ "frail": { "may": null } })),
        (
            "{ frail { ok may } }",
            json!({ "frail": { "ok": 1, "may": null } }),
        ),
        (
            "{ frail { must } hello }",
            json!({ "frail": null, "hello": "world" }),
        ),
        (
            "{ frail { ok must may } hello }",
            json!({ "frail": null, "hello": "world" }),
        ),
        (
            "{ frail { soft { must } ok } }",
            json!({ "frail": { "soft": null, "ok": 1 } }),
        ),
        ("{ frail { firm { must } ok } }", json!({ "frail": null })),
        (
            "{ frail { firm { firm { may } } } }",
            json!({ "frail": { "firm": { "firm": { "may": null } } } }),
        ),
        (
            "{ frail { softList { must } ok } }",
            json!({ "frail": { "softList": [null, null, null], "ok": 1 } }),
        ),
        (
            "{ frail { softList { may } } }",
            json!({ "frail": { "softList": [{ "may": null }, null, { "may": null }] } }),
        ),
        (
            "{ frail { firmList { may } } }",
            json!({ "frail": { "firmList": [{ "may": null }, { "may": null }] } }),
        ),
        (
            "{ frail { firmList { must } ok } }",
            json!({ "frail": null }),
        ),
        ("{ frail { numbers ok } }", json!({ "frail": null })),
        ("{ rigid { ok must } hello }", Value::Null),
        (
            "{ rigid { ...F } } fragment F on Frail { x: soft { must } ... on Frail { y: may } }",
            json!({ "rigid": { "x": null, "y": null } }),
        ),
        (
            "{ frail { soft { may } soft { must } } }",
            json!({ "frail": { "soft": null } }),
        ),
    ];
    for (query, data) in cases {
        let (status, answer) = toy.run(query, Value::Null).await;
        assert_eq!(status, 200);
        assert_eq!(answer["data"], data, "{query}");
        assert_eq!(code(&answer), "CONFLICT", "{query}");
        assert!(answer.as_object().unwrap().contains_key("data"));
    }
}

#[tokio::test]
async fn keys_come_in_the_order_of_the_document() {
    let toy = Toy::open().await;
    let query =
        "{ z: frail { b: ok ...F a: __typename } a: hello } fragment F on Frail { c: ok may }";
    let request = toy.post(json!({ "query": query }).to_string());
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.ends_with(r#""data":{"z":{"b":1,"c":1,"may":null,"a":"Frail"},"a":"world"}}"#),
        "{text}"
    );
}
