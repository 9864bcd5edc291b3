//! GraphQL over HTTP: formats, statuses, methods, callers.

use reqwest::Method;
use serde_json::{Value, json};

use super::toy::{Toy, code};

#[tokio::test]
async fn the_format_of_the_answer_follows_accept() {
    let toy = Toy::open().await;
    let ask = |accept: &'static str, query: &'static str| {
        let request = toy
            .post(json!({ "query": query }).to_string())
            .header("accept", accept);
        async move {
            let response = request.send().await.unwrap();
            let kind = response.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            (response.status().as_u16(), kind)
        }
    };
    let (json, strict) = (
        "application/json; charset=utf-8",
        "application/graphql-response+json; charset=utf-8",
    );
    let cases = [
        ("*/*", "{ hello }", 200, json),
        (
            "application/graphql-response+json",
            "{ hello }",
            200,
            strict,
        ),
        ("application/json", "{ nosuch }", 200, json),
        (
            "application/graphql-response+json",
            "{ nosuch }",
            400,
            strict,
        ),
        ("application/graphql-response+json", "{ hello", 400, strict),
        (
            "application/graphql-response+json",
            "{ missing }",
            200,
            strict,
        ),
        ("text/html", "{ hello }", 406, json),
    ];
    for (accept, query, status, kind) in cases {
        assert_eq!(
            ask(accept, query).await,
            (status, kind.to_owned()),
            "{accept} {query}"
        );
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let toy = Toy::open().await;
    let body = r#"{"query":"{ hello }"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=latin1",
    ] {
        let request = toy
            .request(Method::POST, &toy.url())
            .header("content-type", kind)
            .body(body);
        let (status, answer) = toy.send(request).await;
        assert_eq!(
            (status, code(&answer)),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{kind}"
        );
    }
    let request = toy.request(Method::POST, &toy.url()).body(body);
    assert_eq!(toy.send(request).await.0, 415);
    let request = toy.post(body).header("content-encoding", "gzip");
    assert_eq!(toy.send(request).await.0, 415);
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_in_words() {
    let toy = Toy::open().await;
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"null",
        b"7",
        b"{}",
        br#"{"query":7}"#,
        br#"{"query":"{ hello }","variables":[]}"#,
        br#"{"query":"{ hello }","operationName":7}"#,
        br#"{"query":"{ hello }","extensions":"x"}"#,
        b"{\"query\":\"{ hello \xff }\"}",
    ];
    for body in bodies {
        let (status, answer) = toy.send(toy.post(body)).await;
        assert_eq!(
            (status, code(&answer)),
            (400, "BAD_REQUEST"),
            "{}",
            String::from_utf8_lossy(body)
        );
        assert!(answer.get("data").is_none());
    }
}

#[tokio::test]
async fn mutations_never_run_by_get() {
    let toy = Toy::open().await;
    let url = |query: &str| {
        let mut url = reqwest::Url::parse(&toy.url()).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        url.to_string()
    };
    let get = |query: &str| toy.request(Method::GET, &url(query));
    let (status, answer) = toy.send(get("{ hello }")).await;
    assert_eq!((status, &answer["data"]["hello"]), (200, &json!("world")));

    let response = get("mutation { bump }").send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "POST");
    let (status, _) = toy.send(get("query A { hello } mutation B { bump }")).await;
    assert_eq!(status, 200, "no operation name picks none");
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let response = toy.request(method, &toy.url()).send().await.unwrap();
        assert_eq!(response.status(), 405);
    }
    let (_, answer) = toy.run("{ bumps }", Value::Null).await;
    assert_eq!(answer["data"]["bumps"], 0);
    let (_, answer) = toy.run("mutation { bump }", Value::Null).await;
    assert_eq!(answer["data"]["bump"], 1);
}

#[tokio::test]
async fn get_can_be_switched_off() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.get_queries = false;
    })
    .await;
    let url = format!("{}?query=%7Bhello%7D", toy.url());
    let (status, answer) = toy.send(toy.request(Method::GET, &url)).await;
    assert_eq!((status, code(&answer)), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn callers_are_known_by_their_key() {
    let toy = Toy::with(|_| {}).await;
    let ask = |authorization: Option<&'static str>| {
        let mut request = toy.post(r#"{"query":"{ whoami }"}"#);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let challenge = response.headers().contains_key("www-authenticate");
            let retry = response
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap().to_owned());
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            (status, challenge, retry, body)
        }
    };
    let (status, _, _, body) = ask(Some("bearer ann")).await;
    assert_eq!(
        (status, body),
        (200, json!({ "data": { "whoami": "ann" } }))
    );
    for refused in [
        None,
        Some("Bearer nobody"),
        Some("Basic YTpi"),
        Some("Bearer"),
    ] {
        let (status, challenge, _, body) = ask(refused).await;
        assert_eq!(
            (status, challenge, code(&body)),
            (401, true, "UNAUTHENTICATED"),
            "{refused:?}"
        );
        assert!(body.get("data").is_none());
    }
    let (status, _, retry, body) = ask(Some("Bearer many")).await;
    assert_eq!(
        (status, code(&body), retry.as_deref()),
        (429, "RATE_LIMITED", Some("2"))
    );
    assert_eq!(body["errors"][0]["extensions"]["retryAfter"], 2);
    assert_eq!(ask(Some("Bearer away")).await.0, 503);

    toy.clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(ask(Some("Bearer hour")).await.0, 401, "expired");
}

#[tokio::test]
async fn introspection_needs_permission() {
    let toy = Toy::with(|_| {}).await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ hello ...F } fragment F on Query { __type(name: \"Item\") { name } }",
    ] {
        let ask = |token: &str| {
            let body = json!({ "query": query }).to_string();
            toy.send(toy.post(body).bearer_auth(token))
        };
        assert_eq!(code(&ask("ann").await.1), "INTROSPECTION_DISABLED");
        assert!(ask("operator").await.1.get("errors").is_none());
    }
    let ask = toy.post(r#"{"query":"{ __typename }"}"#).bearer_auth("ann");
    assert_eq!(toy.send(ask).await.1["data"]["__typename"], "Query");
}

#[tokio::test]
async fn answers_are_not_cached_and_carry_the_requests_id() {
    let toy = Toy::open().await;
    let ask = |id: &'static str| {
        toy.post(r#"{"query":"{ hello }"}"#)
            .header("x-request-id", id)
            .send()
    };
    let response = ask("abc-1").await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-request-id"], "abc-1");
    let response = ask("no good <id>").await.unwrap();
    assert_ne!(response.headers()["x-request-id"], "no good <id>");
}

#[tokio::test]
async fn a_foreign_page_cannot_use_a_visitors_cookie() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.allowed_origins = vec!["https://app.example".to_owned()];
    })
    .await;
    let ask = |headers: &'static [(&'static str, &'static str)]| {
        let mut request = toy.post(r#"{"query":"{ hello }"}"#);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(
        ask(&[("cookie", "s=1"), ("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(
        ask(&[("cookie", "s=1"), ("sec-fetch-site", "cross-site")]).await,
        403
    );
    assert_eq!(ask(&[("cookie", "s=1"), ("origin", "null")]).await, 403);
    assert_eq!(
        ask(&[("cookie", "s=1"), ("origin", "https://app.example")]).await,
        200
    );
    assert_eq!(
        ask(&[("cookie", "s=1"), ("sec-fetch-site", "same-origin")]).await,
        200
    );
    assert_eq!(
        ask(&[("origin", "https://evil.example")]).await,
        200,
        "no cookie, no loan"
    );
}
