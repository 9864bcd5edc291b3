//! Requests for deletion that an operator looks at in the console: shown, decided, and on record.

use clipqueue::domain::{
    actor::Scope,
    audit::{self, AuditFilter},
    deletions::{self, NewRequest, Ticket},
};
use clipqueue_entities::{
    deletion_request::{self, ProofKind, RequestState},
    user,
};
use sea_orm::EntityTrait as _;

use super::{Desk, key_of};
use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(an_operator_decides_in_the_console_and_is_on_record);

async fn asked(t: &TestApp, username: &str) -> Ticket {
    let new = NewRequest {
        username: username.to_owned(),
        description: Some("<script>alert(1)</script>".to_owned()),
        profile_url: Some("https://www.tiktok.com/@zelda".to_owned()),
        ..NewRequest::default()
    };
    deletions::ask(&t.app, None, new, username).await.unwrap()
}

async fn row(t: &TestApp, ticket: &Ticket) -> deletion_request::Model {
    let row = deletion_request::Entity::find_by_id(ticket.id);
    row.one(t.app.db.read()).await.unwrap().unwrap()
}

async fn an_operator_decides_in_the_console_and_is_on_record(mut t: TestApp) {
    let (zelda, _) = TestApp::user(&t.app, "zelda", &Scope::CREATOR).await;
    let (mine, other) = (
        asked(&t, "zelda.quixote").await,
        asked(&t, "somebody.else").await,
    );
    let desk = Desk::open(&t, &t.key).await;
    let list = desk.page("/ops/deletions").await;
    for ticket in [&mine, &other] {
        assert!(
            list.contains(&format!("/ops/deletions/{}", ticket.id)),
            "{list}"
        );
        assert!(!list.contains(&ticket.code), "the code is the sender's");
    }
    let path = format!("/ops/deletions/{}", mine.id);
    let page = desk.page(&path).await;
    assert!(
        page.contains("zelda.quixote") && page.contains("No account."),
        "{page}"
    );
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(!page.contains("href=\"https://www.tiktok.com"), "{page}");

    // Whoever steers jobs does not decide about people.
    let viewer = key_of(&t, "vera", &[Scope::OpsRead, Scope::OpsWrite]).await;
    let viewer = Desk::open(&t, &viewer).await;
    assert_eq!(viewer.get("/ops/deletions").await.status, 403);
    let form = "user=zelda&account=&reason=a+video+call";
    let answer = viewer.press(&format!("{path}/approve"), form).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(row(&t, &mine).await.state, RequestState::Open);

    for wrong in [
        "user=nobody&reason=x",
        "user=zelda&reason=",
        "user=zelda&account=none&reason=x",
    ] {
        let answer = desk.press(&format!("{path}/approve"), wrong).await;
        assert_eq!(answer.status, 409, "{wrong}: {}", answer.body);
    }
    let answer = desk.press(&format!("{path}/approve"), form).await;
    assert_eq!((answer.status, answer.header("location")), (303, &*path));
    let decided = row(&t, &mine).await;
    assert_eq!(
        (decided.state, decided.proof),
        (RequestState::Proven, Some(ProofKind::Operator))
    );
    let leaving = user::Entity::find_by_id(zelda.user_id);
    let leaving = leaving.one(t.app.db.read()).await.unwrap().unwrap();
    assert!(leaving.leaving_at.is_some());
    let page = desk.page(&path).await;
    let erasure = decided.erasure_id.unwrap();
    assert!(page.contains(&format!("/ops/erasures/{erasure}")), "{page}");
    assert!(
        !page.contains("zelda.quixote") && !page.contains("/approve"),
        "{page}"
    );

    let path = format!("/ops/deletions/{}", other.id);
    let answer = desk
        .press(&format!("{path}/refuse"), "reason=the+profile+says+no")
        .await;
    assert_eq!((answer.status, answer.header("location")), (303, &*path));
    assert_eq!(row(&t, &other).await.state, RequestState::Refused);
    assert!(
        desk.page("/ops/deletions")
            .await
            .contains(&mine.id.to_string())
    );
    let over = desk.page("/ops/deletions?all=1").await;
    assert!(over.contains(&other.id.to_string()), "{over}");

    for (action, ticket) in [("deletion.approve", &mine), ("deletion.refuse", &other)] {
        let filter = AuditFilter {
            action: Some(action.to_owned()),
            subject: Some(format!("deletion:{}", ticket.id)),
            ..AuditFilter::default()
        };
        let entries = audit::list(&t.app, &filter, None, false, 10).await.unwrap();
        let done = entries.iter().find(|entry| entry.row.outcome == "done");
        assert_eq!(done.unwrap().user_name.as_deref(), Some("ada"), "{action}");
    }
    t.drain().await;
}
