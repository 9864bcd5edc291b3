//! The table of what needs which role, held against the schema: nothing for operators is missing in it, and
//! each role may do exactly what it says.

use std::collections::BTreeMap;

use clipqueue::domain::{
    actor::{Actor, Scope},
    audit::{self, AuditFilter},
    roles::{OPERATIONS, SCOPES, scope},
};
use clipqueue_entities::operator::Role;
use futures::StreamExt as _;
use serde_json::json;

use super::{
    fixture::{World, codes, next},
    samples::sample,
    sdl::Sdl,
};

const ROOTS: [(&str, &str); 3] = [
    ("query", "Query"),
    ("mutation", "Mutation"),
    ("subscription", "Subscription"),
];

/// What the schema says that operators' fields need.
fn told(sdl: &Sdl) -> BTreeMap<String, Scope> {
    let mut told = BTreeMap::new();
    for (_, root) in ROOTS {
        for field in sdl.fields(root) {
            let text = &field.description.as_ref().unwrap().node;
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for scope in SCOPES {
                if text.contains(&format!("Needs the scope `{scope}`")) {
                    told.insert(format!("{root}.{}", field.name.node), scope);
                }
            }
        }
    }
    told
}

#[test]
fn the_table_names_every_field_of_operators_and_no_other() {
    let table: BTreeMap<String, Scope> = OPERATIONS
        .iter()
        .filter(|(name, _)| !name.contains(' '))
        .map(|(name, role)| ((*name).to_owned(), scope(*role)))
        .collect();
    assert_eq!(table, told(&Sdl::new()));
    assert!(table.len() >= 27, "{}", table.len());
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_no_more() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let sdl = Sdl::new();
    let mut refused = 0;
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let scopes = [Role::Viewer, Role::Operator, Role::Admin]
            .into_iter()
            .filter(|of| *of <= role)
            .map(scope);
        let actor = Actor {
            scopes: scopes.collect(),
            ..tenant.actor.clone()
        };
        for (kind, root) in ROOTS {
            for field in sdl.fields(root) {
                let name = format!("{root}.{}", field.name.node);
                let Some((_, least)) = OPERATIONS.iter().find(|(of, _)| *of == name) else {
                    continue;
                };
                let sample = sample(&sdl, kind, field, &|_| None);
                let is_refused = match kind {
                    "subscription" => {
                        let variables = sample.variables.clone();
                        let mut stream = world.watch(Some(&actor), &sample.document, variables);
                        // What is allowed goes on and may have nothing to say yet.
                        let first = tokio::select! {
                            biased;
                            first = next(&mut stream) => Some(first),
                            () = futures::future::ready(()), if role >= *least => None,
                        };
                        let is_refused = first.is_some_and(|first| codes(&first) == ["FORBIDDEN"]);
                        if is_refused {
                            assert!(stream.next().await.is_none(), "{name} goes on");
                        }
                        is_refused
                    }
                    _ => {
                        let variables = sample.variables.clone();
                        let answer = world.run(Some(&actor), &sample.document, variables).await;
                        codes(&answer) == ["FORBIDDEN"]
                    }
                };
                assert_eq!(is_refused, role < *least, "{name} for {role:?}");
                refused += usize::from(is_refused);
            }
        }
    }
    // What an operator is refused is on record, with what it was.
    let filter = AuditFilter {
        action: Some("role.refused".to_owned()),
        ..AuditFilter::default()
    };
    let entries = audit::list(&world.app, &filter, None, false, 100)
        .await
        .unwrap();
    assert_eq!(entries.len(), refused);
    let pause = entries
        .iter()
        .find(|entry| entry.row.subject == "Mutation.pauseQueue")
        .unwrap();
    assert_eq!(pause.row.outcome, "forbidden");
    assert_eq!(pause.row.details, json!({ "needs": "ops:write" }));
    // A tenant who tries is refused as well, and is nobody to record.
    let creator = Actor {
        scopes: Scope::CREATOR.to_vec(),
        ..tenant.actor.clone()
    };
    let answer = world
        .run(Some(&creator), "{ queues { name } }", json!({}))
        .await;
    assert_eq!(codes(&answer), ["FORBIDDEN"]);
    let entries = audit::list(&world.app, &filter, None, false, 100)
        .await
        .unwrap();
    assert_eq!(entries.len(), refused);
}
