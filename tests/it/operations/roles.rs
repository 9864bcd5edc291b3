//! Operators: made, given other roles, ended; what that does to their keys.

use clipqueue::domain::{
    actor::Scope,
    api_keys,
    audit::{self, AuditFilter},
    error::Error,
    roles,
};
use clipqueue_entities::operator::Role;

use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(a_role_bounds_every_key_of_its_operator);

async fn may(t: &TestApp, text: &str) -> Vec<Scope> {
    let actor = api_keys::authenticate(&t.app, text).await.unwrap();
    actor.map(|actor| actor.scopes).unwrap_or_default()
}

async fn a_role_bounds_every_key_of_its_operator(t: TestApp) {
    let key = roles::add(&t.app, "otto", Role::Viewer).await.unwrap();
    let text = api_keys::expose(&key).to_owned();
    // Another key of the same person, which is a tenant as well.
    let wide = api_keys::create(&t.app, key.key.user_id, "wide", &Scope::ALL, None)
        .await
        .unwrap();
    let wide = api_keys::expose(&wide).to_owned();
    assert_eq!(may(&t, &text).await, [Scope::OpsRead]);
    assert!(may(&t, &wide).await.contains(&Scope::PostsWrite));
    assert!(!may(&t, &wide).await.contains(&Scope::OpsWrite));

    roles::change(&t.app, "otto", Role::Admin).await.unwrap();
    assert_eq!(may(&t, &text).await.len(), 3);
    assert!(may(&t, &wide).await.contains(&Scope::OpsAdmin));
    roles::change(&t.app, "otto", Role::Operator).await.unwrap();
    assert!(!may(&t, &wide).await.contains(&Scope::OpsAdmin));

    let twice = roles::add(&t.app, "otto", Role::Admin).await;
    assert!(matches!(twice, Err(Error::Refused(_))), "{twice:?}");
    let nobody = roles::change(&t.app, "nobody", Role::Admin).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");

    roles::revoke(&t.app, "otto").await.unwrap();
    assert!(may(&t, &text).await.is_empty() && may(&t, &wide).await.is_empty());
    let listed = roles::list(&t.app).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "otto"));
    assert!(listed[0].row.ended_at.is_some());
    // A key that is made by them afterwards is none of an operator's.
    let later = api_keys::create(&t.app, key.key.user_id, "later", &Scope::ALL, None)
        .await
        .unwrap();
    let later = may(&t, api_keys::expose(&later)).await;
    assert_eq!(later.len(), Scope::ALL.len() - roles::SCOPES.len());

    // Made one again, with a key of its own.
    let again = roles::add(&t.app, "otto", Role::Viewer).await.unwrap();
    assert_eq!(may(&t, api_keys::expose(&again)).await, [Scope::OpsRead]);
    // Whoever has no role is what the key says.
    assert_eq!(may(&t, &t.key).await.len(), Scope::ALL.len());

    let entries = audit::list(&t.app, &AuditFilter::default(), None, false, 100).await;
    let said: Vec<_> = entries
        .unwrap()
        .into_iter()
        .map(|entry| entry.row.action)
        .collect();
    assert_eq!(
        said,
        [
            "operator.add",
            "operator.revoke",
            "operator.role",
            "operator.role",
            "operator.add"
        ]
    );
}
