//! Hostile requests are refused with a code, and cheaply.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::toy::{Toy, code};

async fn refused(toy: &Toy, document: &str) -> String {
    let (status, answer) = toy.run(document, Value::Null).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.get("data").is_none());
    code(&answer).to_owned()
}

fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, "{} ", part(number)).unwrap();
        text
    })
}

#[tokio::test]
async fn bodies_are_at_most_a_mebibyte() {
    let toy = Toy::open().await;
    let body = |bytes: usize| {
        let text = "x".repeat(bytes);
        json!({ "query": "query($t: String!) { echo(text: $t) }", "variables": { "t": text } })
            .to_string()
    };
    let (status, answer) = toy.send(toy.post(body(1_000_000))).await;
    assert_eq!(status, 200);
    assert_eq!(answer["data"]["echo"].as_str().unwrap().len(), 1_000_000);
    for bytes in [1024 * 1024, 20_000_000] {
        let (status, answer) = toy.send(toy.post(body(bytes))).await;
        assert_eq!((status, code(&answer)), (413, "PAYLOAD_TOO_LARGE"));
    }
    // The same without a length told ahead.
    let chunks =
        futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_000_000])));
    let (status, answer) = toy.send(toy.post(reqwest::Body::wrap_stream(chunks))).await;
    assert_eq!((status, code(&answer)), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.execution_timeout = Duration::from_millis(50);
    })
    .await;
    let body = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let (status, answer) = toy.send(toy.post(reqwest::Body::wrap_stream(body))).await;
    assert_eq!((status, code(&answer)), (408, "TIMEOUT"));
}

#[tokio::test]
async fn documents_are_limited_in_length_and_tokens() {
    let toy = Toy::open().await;
    let comment = format!("# {}\n{{ hello }}", "x".repeat(100_000));
    assert_eq!(refused(&toy, &comment).await, "DOCUMENT_LIMIT");
    let tokens = format!("{{ {} }}", "hello ".repeat(5_000));
    assert_eq!(refused(&toy, &tokens).await, "TOKEN_LIMIT");
}

#[tokio::test]
async fn aliases_root_fields_and_directives_are_counted() {
    let toy = Toy::open().await;
    let aliases = |count| format!("{{ {} }}", many(count, |n| format!("a{n}: hello")));
    assert_eq!(refused(&toy, &aliases(5_000)).await, "ALIAS_LIMIT");
    assert_eq!(refused(&toy, &aliases(51)).await, "ALIAS_LIMIT");
    assert_eq!(refused(&toy, &aliases(21)).await, "ROOT_FIELD_LIMIT");
    assert_eq!(toy.run(&aliases(20), Value::Null).await.0, 200);
    // Few aliases in the text, many once the fragment is spread.
    let spread = format!(
        "{{ {} }} fragment F on Item {{ {} }}",
        many(5, |n| format!("i{n}: item {{ ...F }}")),
        many(10, |n| format!("b{n}: id")),
    );
    assert_eq!(refused(&toy, &spread).await, "ALIAS_LIMIT");

    let directives = |count| format!("{{ hello {} }}", "@include(if: true) ".repeat(count));
    assert_eq!(refused(&toy, &directives(11)).await, "DIRECTIVE_LIMIT");
    assert_eq!(refused(&toy, &directives(1_000)).await, "DIRECTIVE_LIMIT");
    // A colon inside arguments or variables is no alias.
    let arguments = format!(
        "query({}) {{ hello }}",
        many(60, |n| format!("$v{n}: Int = 1"))
    );
    assert_eq!(refused(&toy, &arguments).await, "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn nesting_is_limited_before_anything_recurses() {
    let toy = Toy::open().await;
    let deep = |count: usize| format!("{}{{ id }}{}", "{ item ".repeat(count), " }".repeat(count));
    assert_eq!(toy.run(&deep(11), Value::Null).await.0, 200);
    assert_eq!(refused(&toy, &deep(12)).await, "DEPTH_LIMIT");
    let n = 10_000;
    for hostile in [
        deep(n),
        "{".repeat(n),
        format!("{{ nested(lists: {}{}) }}", "[".repeat(n), "]".repeat(n)),
        format!("{{ wish(wish: {}1{}) }}", "{ a: ".repeat(n), "}".repeat(n)),
        format!(
            "query($x: {}Int{}) {{ hello }}",
            "[".repeat(n),
            "]".repeat(n)
        ),
        format!("{{ echo{} }}", "(".repeat(n)),
        // A block string without end must not hide what follows it from the count.
        format!("{{ echo(text: [\"\"\" \" {}", "[".repeat(n)),
        format!("{{ echo(text: \"{}\n{}", "a", "{".repeat(n)),
    ] {
        let code = refused(&toy, &hostile).await;
        assert!(
            matches!(code.as_str(), "DEPTH_LIMIT" | "GRAPHQL_PARSE_FAILED"),
            "{code} for {}",
            &hostile[..60]
        );
    }
    // The deepest that the parser still sees.
    let lists = format!("{{ nested(lists: {}{}) }}", "[".repeat(60), "]".repeat(60));
    assert_eq!(refused(&toy, &lists).await, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(refused(&toy, &deep(60)).await, "DEPTH_LIMIT");
    // Brackets in strings and comments nest nothing.
    let harmless = format!(
        "{{ echo(text: \"{}\") }} # {}",
        "[".repeat(500),
        "{".repeat(500)
    );
    assert_eq!(toy.run(&harmless, Value::Null).await.0, 200);

    let variables = format!(
        r#"{{"query":"{{ hello }}","variables":{{"x":{}{}}}}}"#,
        "[".repeat(n),
        "]".repeat(n)
    );
    let (status, answer) = toy.send(toy.post(variables)).await;
    assert_eq!((status, code(&answer)), (400, "DEPTH_LIMIT"));
}

#[tokio::test]
async fn fragments_cannot_multiply_or_recurse() {
    let toy = Toy::open().await;
    for cycle in [
        "{ item { ...A } } fragment A on Item { ...A }",
        "{ item { ...A } } fragment A on Item { ...B } fragment B on Item { item { ...A } }",
        "{ hello } fragment A on Item { ...B } fragment B on Item { ...A }",
    ] {
        assert_eq!(refused(&toy, cycle).await, "RECURSION_LIMIT");
    }
    // Each fragment spreads the next twice: a billion selections in a kilobyte.
    let doubling = format!(
        "{{ item {{ ...F0 }} }} {} fragment F30 on Item {{ id }}",
        many(30, |n| format!(
            "fragment F{n} on Item {{ ...F{0} ...F{0} }}",
            n + 1
        ))
    );
    assert_eq!(refused(&toy, &doubling).await, "COST_LIMIT");
    let chain = format!(
        "{{ item {{ ...F0 }} }} {} fragment F600 on Item {{ id }}",
        many(600, |n| format!(
            "fragment F{n} on Item {{ ...F{} }}",
            n + 1
        ))
    );
    assert_eq!(refused(&toy, &chain).await, "RECURSION_LIMIT");
}

#[tokio::test]
async fn cost_grows_with_the_length_of_pages() {
    let toy = Toy::open().await;
    let ask = |document: &'static str, first: i64| toy.run(document, json!({ "first": first }));
    let page = "query($first: Int) { items(first: $first) { id items(first: 9) { id } } }";
    assert_eq!(ask(page, 50).await.0, 200);
    let (status, answer) = ask(page, 100).await;
    assert_eq!((status, code(&answer)), (400, "COST_LIMIT"));
    let (_, answer) = ask(page, i64::from(i32::MAX)).await;
    assert_eq!(code(&answer), "COST_LIMIT");
    let (_, answer) = ask(page, -1).await;
    assert_eq!(
        code(&answer),
        "COST_LIMIT",
        "an unusable length is charged as the longest"
    );
    let tower = "{ items(first: 100) { items(first: 100) { items(first: 100) { items(first: 100) { \
                 items(first: 100) { items(first: 100) { items(first: 100) { items(first: 100) { \
                 items(first: 100) { items(first: 100) { items(first: 100) { id } } } } } } } } } } } }";
    assert_eq!(refused(&toy, tower).await, "COST_LIMIT");
}

#[tokio::test]
async fn introspection_fits_but_does_not_multiply() {
    let toy = Toy::open().await;
    let standard = include_str!("introspection.graphql");
    let (status, answer) = toy.run(standard, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["__schema"]["queryType"]["name"], "Query");
    let tower =
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(refused(&toy, tower).await, "DEPTH_LIMIT");
}

#[tokio::test]
async fn batches_are_off_and_can_be_allowed_small() {
    let toy = Toy::open().await;
    let batch =
        |count| Value::from(vec![json!({ "query": "mutation { bump }" }); count]).to_string();
    for count in [1, 2_000] {
        let (status, answer) = toy.send(toy.post(batch(count))).await;
        assert_eq!((status, code(&answer)), (400, "BATCH_LIMIT"));
    }
    let (_, answer) = toy.run("{ bumps }", Value::Null).await;
    assert_eq!(answer["data"]["bumps"], 0);

    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.max_batch = 3;
    })
    .await;
    let (status, answer) = toy.send(toy.post(batch(3))).await;
    assert_eq!(status, 200);
    assert_eq!(answer[2]["data"]["bump"], 3);
    assert_eq!(code(&toy.send(toy.post(batch(4))).await.1), "BATCH_LIMIT");
    assert_eq!(code(&toy.send(toy.post("[]")).await.1), "BAD_REQUEST");
}

#[tokio::test]
async fn an_operation_may_not_take_for_ever() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.execution_timeout = Duration::from_millis(50);
    })
    .await;
    let (status, answer) = toy.run("{ never }", Value::Null).await;
    assert_eq!((status, code(&answer)), (504, "TIMEOUT"));
}

#[tokio::test]
async fn a_subscription_has_one_field() {
    let toy = Toy::open().await;
    for document in [
        "subscription { forever count(to: 1) }",
        "subscription { ...F } fragment F on Subscriptions { forever }",
        "subscription { __typename }",
    ] {
        assert_eq!(refused(&toy, document).await, "GRAPHQL_VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_document_full_of_mistakes_is_not_answered_at_length() {
    let toy = Toy::open().await;
    let mistakes = format!("{{ item {{ {} }} }}", many(1_500, |n| format!("no{n}")));
    let (status, answer) = toy.run(&mistakes, Value::Null).await;
    assert_eq!(status, 400);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 20);
}
