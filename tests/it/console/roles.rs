//! What each role may open and press in the console, by the table, for every route that there is.

use std::collections::BTreeSet;

use clipqueue::domain::{
    audit::{self, AuditFilter},
    roles::{self, OPERATIONS},
};
use clipqueue_entities::operator::Role;

use super::Desk;
use crate::{
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(a_role_that_changes_counts_in_the_console_at_once);

/// Whatever the router's source registers behind the door.
fn routes() -> BTreeSet<String> {
    let source = include_str!("../../../src/http/ui/mod.rs");
    let source = source.split_whitespace().collect::<String>();
    let inside = source.split("letinside=").nth(1).unwrap();
    let inside = inside.split(".route_layer(").next().unwrap();
    let mut found = BTreeSet::new();
    for route in inside.split(".route(\"").skip(1) {
        let (path, handlers) = route.split_once("\",").unwrap();
        if handlers.starts_with("get(") {
            found.insert(format!("GET {path}"));
        }
        if handlers.starts_with("on_post(") || handlers.contains(").post(") {
            found.insert(format!("POST {path}"));
        }
    }
    found
}

/// The routes of the table.
fn named() -> BTreeSet<String> {
    OPERATIONS
        .iter()
        .filter(|(name, _)| name.contains(' '))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

#[test]
fn the_table_names_every_route_of_the_console() {
    assert_eq!(named(), routes());
    assert!(routes().len() >= 19);
}

#[tokio::test]
async fn each_role_may_open_and_press_what_the_table_says() {
    let t = TestApp::start(Stack::Embedded).await;
    let id = "019390aa-0000-7000-8000-000000000000";
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let name = roles::word(role);
        let key = roles::add(&t.app, name, role).await.unwrap();
        let desk = Desk::open(&t, clipqueue::domain::api_keys::expose(&key)).await;
        for (operation, least) in OPERATIONS {
            let Some((method, path)) = operation.split_once(' ') else {
                continue;
            };
            // The one is a stream and does not end, the other would end the session.
            if ["/ops/live", "/ops/sign-out"].contains(&path) {
                continue;
            }
            let path = path
                .replace("{id}", id)
                .replace("{queue}", "uploads")
                .replace("{act}", "nothing")
                .replace("{*rest}", "nothing/there");
            let answer = match method {
                "POST" => desk.press(&path, "").await,
                _ => desk.get(&path).await,
            };
            assert_eq!(
                answer.status == 403,
                role < *least,
                "{operation} for {name}: {}",
                answer.status
            );
        }
    }
    let filter = AuditFilter {
        action: Some("role.refused".to_owned()),
        ..AuditFilter::default()
    };
    let entries = audit::list(&t.app, &filter, None, false, 100)
        .await
        .unwrap();
    let said: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.user_name.as_deref().unwrap(),
                entry.row.subject.as_str(),
            )
        })
        .collect();
    assert!(
        said.contains(&("viewer", "POST /ops/queues/{queue}/{act}")),
        "{said:?}"
    );
    assert!(said.contains(&("operator", "POST /ops/bulk")), "{said:?}");
    assert!(said.iter().all(|(name, _)| *name != "admin"), "{said:?}");
}

async fn a_role_that_changes_counts_in_the_console_at_once(t: TestApp) {
    let key = roles::add(&t.app, "otto", Role::Viewer).await.unwrap();
    let desk = Desk::open(&t, clipqueue::domain::api_keys::expose(&key)).await;
    let page = desk.page("/ops").await;
    assert!(page.contains("may look only"), "{page}");
    assert_eq!(
        desk.press("/ops/queues/uploads/pause", "").await.status,
        403
    );
    roles::change(&t.app, "otto", Role::Operator).await.unwrap();
    assert_eq!(
        desk.press("/ops/queues/uploads/pause", "").await.status,
        303
    );
    assert_eq!(desk.press("/ops/bulk", "").await.status, 403);
    roles::revoke(&t.app, "otto").await.unwrap();
    assert_eq!(desk.get("/ops").await.header("location"), "/ops/sign-in");
}
