//! The pages for people who cannot sign in, as a browser without scripts sees them.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::Value;

use super::{request, send};
use crate::support::app::TestApp;
use clipqueue::domain::deletions;

crate::on_both_stacks!(
    the_form_leads_to_a_page_of_the_request,
    what_is_wrong_is_said_and_what_was_written_stays,
);

async fn get(t: &TestApp, path: &str, accept: &str) -> (axum::http::response::Parts, String) {
    let request = Request::get(path).header(header::ACCEPT, accept);
    send(t, request.body(Body::empty()).unwrap(), "192.0.2.1").await
}

async fn post(t: &TestApp, fields: &[(&str, &str)]) -> (axum::http::response::Parts, String) {
    let request = Request::post("/privacy/delete")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(serde_urlencoded::to_string(fields).unwrap()))
        .unwrap();
    send(t, request, "192.0.2.1").await
}

fn hidden_key(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"key\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn the_form_leads_to_a_page_of_the_request(t: TestApp) {
    let (parts, page) = get(&t, "/privacy/delete", "text/html").await;
    assert_eq!(parts.status, StatusCode::OK);
    let policy = parts.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"));
    assert!(!policy.contains("script"), "{policy}");
    assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
    let key = hidden_key(&page);
    let fields = [
        ("key", key.as_str()),
        ("username", "@Zelda"),
        ("profile_url", "https://www.tiktok.com/@zelda"),
        ("description", "schedule"),
        ("job_ids", "one, two\r\nthree"),
        ("email", ""),
    ];
    let (parts, _) = post(&t, &fields).await;
    assert_eq!(parts.status, StatusCode::SEE_OTHER);
    let path = parts.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(parts.headers[header::REFERRER_POLICY], "same-origin");
    // The button, pressed twice.
    let (parts, _) = post(&t, &fields).await;
    assert_eq!(parts.headers[header::LOCATION], path.as_str());
    let seen = deletions::judge::list(&t.app, false).await.unwrap();
    assert_eq!(seen.len(), 1);
    let details = seen[0].details.clone().unwrap();
    assert_eq!(details.username, "zelda");
    assert_eq!(details.job_ids, ["one", "two", "three"]);

    let (parts, page) = get(&t, &path, "text/html").await;
    assert_eq!(parts.status, StatusCode::OK);
    assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(parts.headers[header::REFERRER_POLICY], "same-origin");
    assert!(page.contains("<code>clipqueue-"), "{page}");
    assert!(
        !page.to_lowercase().contains("zelda"),
        "the page names nobody"
    );
    let (_, json) = get(&t, &path, "application/json").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["state"], "open");
    // The same instant, for a program and for people.
    let due = json["due_at"].as_str().unwrap();
    let (day, time) = due.split_once('T').unwrap();
    let shown = format!("lapses on {day} {} UTC", &time[..5]);
    assert!(page.contains(&shown) && !page.contains(due), "{page}");
    assert!(page.contains(json["proof_code"].as_str().unwrap()));
    for (path, accept) in [
        ("/privacy/requests/nothing", "text/html"),
        ("/privacy/requests/nothing", "application/json"),
    ] {
        assert_eq!(get(&t, path, accept).await.0.status, StatusCode::NOT_FOUND);
    }
}

async fn what_is_wrong_is_said_and_what_was_written_stays(t: TestApp) {
    let wrong = [
        ("key", "k"),
        ("username", "<b>two words</b>"),
        ("email", "nobody"),
        ("description", "kept \"as\" it was"),
    ];
    let (parts, page) = post(&t, &wrong).await;
    assert_eq!(parts.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("The username is no TikTok username"),
        "{page}"
    );
    assert!(page.contains("The address is no e-mail address"), "{page}");
    assert!(!page.contains("<b>two"), "{page}");
    assert!(page.contains("kept") && page.contains("it was"), "{page}");
    // Too many.
    for nth in 0..deletions::PER_ADDRESS {
        let key = format!("k{nth}");
        let name = format!("name{nth}");
        let (parts, _) = post(&t, &[("key", &key), ("username", &name)]).await;
        assert_eq!(parts.status, StatusCode::SEE_OTHER);
    }
    let (parts, page) = post(&t, &[("key", "more"), ("username", "more")]).await;
    assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(parts.headers.contains_key(header::RETRY_AFTER));
    assert!(page.contains("too many requests"), "{page}");
    // Somebody else is not kept from it.
    let other = deletions::ask(&t.app, None, request("more", None), "key").await;
    other.unwrap();
    // A form without a key was not ours.
    let (parts, _) = post(&t, &[("username", "zelda")]).await;
    assert_eq!(parts.status, StatusCode::UNPROCESSABLE_ENTITY);
}
