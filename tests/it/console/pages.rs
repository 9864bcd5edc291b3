//! What pages show, and what they keep to themselves.

use clipqueue::domain::posts;
use clipqueue_entities::{
    JobId,
    job::JobState,
    post::{self, PostState},
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};

use super::{Desk, job_in};
use crate::{
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    a_post_is_shown_with_its_whole_record,
    markup_in_data_is_text
);

const MARKUP: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'";

/// Fails when the markup got into the page as markup.
fn is_text(path: &str, page: &str) {
    for raw in [
        "<script>alert",
        "<img src=x",
        "\"><script",
        "onerror=alert(2)>'",
    ] {
        assert!(!page.contains(raw), "{path} holds {raw}");
    }
}

async fn markup_in_data_is_text(t: TestApp) {
    let id = job_in(&t, JobState::Held, |row| {
        row.kind = Set(MARKUP.to_owned());
        row.lane = Set(MARKUP.to_owned());
        row.args = Set(serde_json::json!({ (MARKUP): MARKUP, "post_id": MARKUP }));
        row.hold_reason = Set(Some(MARKUP.to_owned()));
        row.last_error = Set(Some(MARKUP.to_owned()));
        row.lease_owner = Set(Some(MARKUP.to_owned()));
        row.progress = Set(Some(serde_json::json!(MARKUP)));
        row.unique_key = Set(Some(MARKUP.to_owned()));
    })
    .await;
    let plain = job_in(&t, JobState::Discarded, |row| {
        row.last_error = Set(Some(MARKUP.to_owned()));
        row.args = Set(serde_json::json!(MARKUP));
    })
    .await;
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::inbox(account, media)).await;
    let mut row = post.clone().into_active_model();
    row.state = Set(PostState::Failed);
    row.hold_reason = Set(Some(MARKUP.to_owned()));
    row.failure_code = Set(Some(MARKUP.to_owned()));
    row.failure_class = Set(Some(MARKUP.to_owned()));
    row.failure_message = Set(Some(MARKUP.to_owned()));
    row.tiktok_post_ids = Set(serde_json::json!([MARKUP]));
    row.update(t.app.db.write()).await.unwrap();
    let found = clipqueue_entities::account::Entity::find_by_id(account)
        .one(t.app.db.read())
        .await;
    let mut row = found.unwrap().unwrap().into_active_model();
    row.username = Set(Some(MARKUP.to_owned()));
    row.update(t.app.db.write()).await.unwrap();

    let desk = Desk::open(&t, &t.key).await;
    let query = serde_urlencoded(MARKUP);
    for path in [
        "/ops".to_owned(),
        "/ops/jobs".to_owned(),
        "/ops/jobs?state=held".to_owned(),
        "/ops/jobs?state=discarded".to_owned(),
        format!("/ops/jobs/{id}"),
        format!("/ops/jobs/{plain}"),
        "/ops/posts".to_owned(),
        "/ops/posts?state=failed".to_owned(),
        format!("/ops/posts/{}", post.id),
        format!("/ops/jobs?lane={query}&kind={query}&queue={query}&reason={query}&error={query}"),
        format!("/ops/bulk/new?action=cancel&lane={query}&error={query}"),
        format!("/ops/sign-in?next=/{query}"),
        format!("/ops/jobs/{id}?done={query}"),
    ] {
        let page = desk.page(&path).await;
        is_text(&path, &page);
    }
    for path in [
        format!("/ops/jobs?state={query}"),
        format!("/ops/find?id={query}"),
        format!("/ops/{query}"),
    ] {
        let answer = desk.get(&path).await;
        is_text(&path, &answer.body);
        is_text(&path, answer.header("location"));
    }
    let lane = format!("/ops/jobs?lane={query}");
    assert!(
        desk.page(&lane).await.contains(&id.to_string()),
        "the filter is the text itself"
    );
    // Wherever it is stored, nothing is left for the next drain to run.
    desk.press(&format!("/ops/jobs/{id}/cancel"), "").await;
}

fn serde_urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn a_post_is_shown_with_its_whole_record(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.caption = "A secret plan #launch".to_owned();
    let post = t.post(new).await;
    let desk = Desk::open(&t, &t.key).await;
    let path = format!("/ops/posts/{}", post.id);
    let before = desk.page(&path).await;
    assert!(before.contains("TikTok has not been told of this post"));
    let post = t.run_until(post.id, PostState::Published).await;

    let page = desk.page(&path).await;
    for word in [
        "published",
        "processing",
        "uploading",
        "init sent",
        "preflight",
        "creator",
        "ada",
        "Nobody has to act",
    ] {
        assert!(page.contains(word), "{word} is missing: {page}");
    }
    let attempts = clipqueue::domain::attempts::list(t.app.db.read(), post.id)
        .await
        .unwrap();
    let attempt = &attempts[0];
    assert!(page.contains(attempt.publish_id.as_ref().unwrap()));
    let proofs = clipqueue_entities::evidence::Entity::find()
        .all(t.app.db.read())
        .await
        .unwrap();
    let logs: Vec<&String> = proofs
        .iter()
        .filter_map(|row| row.log_id.as_ref())
        .collect();
    assert!(logs.len() >= 2);
    for log in logs {
        assert!(page.contains(log), "TikTok's log id {log} is missing");
    }
    for row in &proofs {
        assert!(page.contains(&row.subject), "{} is missing", row.subject);
    }
    assert!(
        page.contains("upload_post") && page.contains("poll_post"),
        "its jobs are linked"
    );
    let job = page
        .split("/ops/jobs/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(job.parse::<JobId>().is_ok());
    assert!(
        desk.page(&format!("/ops/jobs/{job}")).await.contains(&path),
        "and link back"
    );
    // The creator's words and TikTok's addresses are not the operator's.
    for place in [&*path, "/ops/posts", "/ops/jobs", "/ops/audit"] {
        let page = desk.page(place).await;
        for secret in [
            "secret plan",
            "upload_url",
            "upload.tiktok",
            "act.",
            "Bearer",
        ] {
            assert!(!page.contains(secret), "{place} shows {secret}");
        }
    }
    // Either kind of id is found by itself.
    for (id, place) in [
        (post.id.to_string(), path.clone()),
        (job.to_owned(), format!("/ops/jobs/{job}")),
    ] {
        let answer = desk.get(&format!("/ops/find?id={id}")).await;
        assert_eq!((answer.status, answer.header("location")), (303, &*place));
    }
    let answer = desk.get(&format!("/ops/find?id={}", JobId::new())).await;
    assert_eq!(answer.header("location"), "/ops?not_found=1");
}

#[tokio::test]
async fn posts_that_somebody_should_look_at_are_listed_and_counted() {
    let t = TestApp::start(Stack::Embedded).await;
    let (account, media) = t.ready().await;
    let mut ids = Vec::new();
    for at in 0..4 {
        let post = t
            .post(TestApp::captioned(account, media, &format!("clip {at}")))
            .await;
        ids.push(post.id);
    }
    for (id, state) in ids
        .iter()
        .zip([PostState::Held, PostState::Unconfirmed, PostState::Failed])
    {
        let row = posts::get(t.app.db.read(), t.actor.user_id, *id)
            .await
            .unwrap();
        let mut row: post::ActiveModel = row.into_active_model();
        row.state = Set(state);
        row.hold_reason = Set((state == PostState::Held).then(|| "reauth_required".to_owned()));
        row.update(t.app.db.write()).await.unwrap();
    }
    let desk = Desk::open(&t, &t.key).await;
    for (at, list) in ["held", "unconfirmed", "failed"].into_iter().enumerate() {
        let page = desk.page(&format!("/ops/posts?state={list}")).await;
        for (other, id) in ids.iter().enumerate() {
            assert_eq!(
                page.contains(&id.to_string()),
                other == at,
                "{list} {other}"
            );
        }
    }
    assert!(
        desk.page("/ops/posts?state=held")
            .await
            .contains("reauth_required")
    );
    let overview = desk.page("/ops").await;
    for list in ["held", "unconfirmed", "failed"] {
        assert!(
            overview.contains(&format!("<strong>1</strong> {list}")),
            "{overview}"
        );
    }
}

#[tokio::test]
async fn crons_are_shown_with_the_slots_that_fired() {
    let mut t = TestApp::start(Stack::Embedded).await;
    t.advance(std::time::Duration::from_secs(61));
    t.fire_crons().await;
    let desk = Desk::open(&t, &t.key).await;
    let page = desk.page("/ops/crons").await;
    for name in [
        "expire_uploads",
        "prune",
        "refresh_due_tokens",
        "sweep_posts",
    ] {
        assert!(page.contains(&format!("?kind={name}\"")), "{page}");
    }
    assert!(page.contains("0 * * * * *"));
    let job = page
        .split("/ops/jobs/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        desk.page(&format!("/ops/jobs/{job}"))
            .await
            .contains("completed")
    );
}

#[tokio::test]
async fn a_failure_of_ours_shows_nothing_of_the_inside() {
    let t = TestApp::start(Stack::Embedded).await;
    let desk = Desk::open(&t, &t.key).await;
    t.app.db.close().await.unwrap();
    for path in ["/ops", "/ops/jobs", "/ops/sign-in"] {
        let answer = desk.get(path).await;
        let expected = if path == "/ops/sign-in" { 200 } else { 500 };
        assert_eq!(answer.status, expected, "{path}");
        let said = answer.body.to_lowercase();
        for word in ["pool", "sqlite", "sqlx", "connection"] {
            assert!(!said.contains(word), "{path} says {word}");
        }
    }
}

#[tokio::test]
async fn the_frame_says_where_one_is_and_how_to_leave() {
    let t = TestApp::start(Stack::Embedded).await;
    let desk = Desk::open(&t, &t.key).await;
    for path in ["/ops", "/ops/jobs", "/ops/jobs?state=held", "/ops/audit"] {
        let page = desk.page(path).await;
        let (_, nav) = page.split_once("<nav aria-label=\"Console\">").unwrap();
        let (nav, rest) = nav.split_once("</nav>").unwrap();
        assert_eq!(nav.matches("aria-current").count(), 1, "{path}: {nav}");
        let here = format!("href=\"{path}\" aria-current=\"page\"");
        assert!(nav.contains(&here), "{path}: {nav}");
        assert!(rest.contains("<form method=\"post\" action=\"/ops/sign-out\">"));
        assert!(page.contains("Licences") && !page.contains("may look only"));
    }
}

#[tokio::test]
async fn keys_of_the_configuration_break_between_their_words_alone() {
    let t = TestApp::start(Stack::Embedded).await;
    let desk = Desk::open(&t, &t.key).await;
    let page = desk.page("/ops/retention").await;
    let key = "<code class=\"key\">retention.<wbr>webhook_<wbr>deliveries<wbr></code>";
    assert!(page.contains(key), "{page}");
}
