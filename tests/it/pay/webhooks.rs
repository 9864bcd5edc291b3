//! What is believed to be PayPal's, and that it counts once, whatever the order.

use clipqueue::domain::{actor::Scope, plans};
use clipqueue_entities::{
    billing_event,
    subscription::{self, SubscriptionStatus},
    user_plan::PlanName,
};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

use super::paypal::{self, OTHER_KEY, Sent, about, activated, failed, paid, with_paypal};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(
    what_paypal_did_not_sign_counts_for_nothing,
    certificates_that_ended_or_lead_to_no_root_prove_nothing,
    an_event_counts_once,
    events_in_any_order_end_in_the_same,
    only_the_code_that_we_gave_and_a_plan_of_ours_join_a_user,
    bodies_of_every_kind_are_answered,
);
crate::on_both_stacks!(nothing_is_taken_without_configuration);

async fn rows(t: &TestApp) -> (u64, u64) {
    let db = t.app.db.read();
    (
        subscription::Entity::find().count(db).await.unwrap(),
        billing_event::Entity::find().count(db).await.unwrap(),
    )
}

async fn what_paypal_did_not_sign_counts_for_nothing(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let now = t.clock.now();
    let event = activated("I-1", &code, now, now + DAY);
    let good = Sent::new(&event);
    let forged: Vec<(&str, Sent)> = vec![
        (
            "another key",
            Sent {
                key: OTHER_KEY,
                ..good.clone()
            },
        ),
        (
            "another body",
            Sent {
                signed: Some(b"{}".to_vec()),
                ..good.clone()
            },
        ),
        (
            "another webhook",
            Sent {
                webhook: "OTHER".to_owned(),
                ..good.clone()
            },
        ),
        (
            "another algorithm",
            Sent {
                algorithm: "none",
                ..good.clone()
            },
        ),
    ];
    for (what, sent) in forged {
        assert_eq!(t.paypal(&sent).await, 401, "{what}");
    }
    assert_eq!(rows(&t).await, (0, 0));
    assert_eq!(
        plans::of(&t.app, t.app.db.read(), t.actor.user_id)
            .await
            .unwrap()
            .ends_at,
        None
    );
    // The address of a certificate is nobody's business: nothing is fetched from it.
    let elsewhere = Sent {
        certificate: "http://127.0.0.1:9/evil".to_owned(),
        ..good
    };
    assert_eq!(t.paypal(&elsewhere).await, 200);
    assert_eq!(rows(&t).await, (1, 1));
}

async fn certificates_that_ended_or_lead_to_no_root_prove_nothing(stack: Stack) {
    for (name, expected) in [("ended", 503), ("foreign", 503), ("chain", 200)] {
        let file = paypal::certificate(name);
        let t = with_paypal(stack, &[("paypal.certificates", &file)]).await;
        let event = about("CREATED", "APPROVAL_PENDING", "I-1", t.clock.now());
        assert_eq!(t.paypal(&Sent::new(&event)).await, expected, "{name}");
        let untrusted = t.app.paypal.untrusted(t.clock.now());
        assert_eq!(untrusted.len(), usize::from(expected == 503), "{name}");
    }
    // While one follows another, both are there.
    let files = [paypal::certificate("ended"), paypal::certificate("chain")].join(",");
    let t = with_paypal(stack, &[("paypal.certificates", &files)]).await;
    let event = about("CREATED", "APPROVAL_PENDING", "I-1", t.clock.now());
    assert_eq!(t.paypal(&Sent::new(&event)).await, 200);
}

async fn nothing_is_taken_without_configuration(t: TestApp) {
    let event = about("CREATED", "APPROVAL_PENDING", "I-1", t.clock.now());
    assert_eq!(t.paypal(&Sent::new(&event)).await, 404);
    assert_eq!(rows(&t).await, (0, 0));
}

async fn an_event_counts_once(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let now = t.clock.now();
    t.paypal_tells(&activated("I-1", &code, now, now + DAY))
        .await;
    t.paypal_tells(&about("CANCELLED", "CANCELLED", "I-1", now + MINUTE))
        .await;
    let before = t.subscription_of("I-1").await.unwrap();
    // Under another transmission, as PayPal repeats it.
    t.paypal_tells(&activated("I-1", &code, now, now + DAY))
        .await;
    assert_eq!(t.subscription_of("I-1").await.unwrap(), before);
    assert_eq!(rows(&t).await, (1, 2));
    // Nothing of the payer is kept.
    let needle = clipqueue::domain::erasure::search::Needle::new(["payer@example.net".to_owned()]);
    let found = clipqueue::domain::erasure::search::everywhere(&t.app, &needle.unwrap()).await;
    assert!(found.unwrap().findings().is_empty());
}

async fn events_in_any_order_end_in_the_same(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let now = t.clock.now();
    let events = |id: &str| -> Vec<Value> {
        let mut first = about("CREATED", "APPROVAL_PENDING", id, now);
        first["resource"]["custom_id"] = json!(code);
        vec![
            first,
            activated(id, &code, now + MINUTE, now + DAY * 30),
            paid(id, now + MINUTE),
            failed(id, now + DAY * 30),
            about("SUSPENDED", "SUSPENDED", id, now + DAY * 31),
            paid(id, now + DAY * 32),
            about("ACTIVATED", "ACTIVE", id, now + DAY * 32),
        ]
    };
    let known = |row: subscription::Model| {
        (
            row.user_id,
            row.status,
            row.paid_until,
            row.grace_until,
            row.cutoff_at,
            row.paid_at,
            row.failed_at,
        )
    };
    let mut ends = Vec::new();
    for (nth, order) in [
        [0, 1, 2, 3, 4, 5, 6],
        [6, 5, 4, 3, 2, 1, 0],
        [5, 2, 6, 3, 0, 4, 1],
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("I-{nth}");
        let events = events(&id);
        for at in order {
            t.paypal_tells(&events[at]).await;
            t.paypal_tells(&events[at]).await;
        }
        ends.push(known(t.subscription_of(&id).await.unwrap()));
    }
    assert_eq!(ends[0].0, Some(t.actor.user_id));
    assert_eq!(ends[0].1, SubscriptionStatus::Active);
    assert_eq!(ends[0].2, Some(now + DAY * 32 + DAY * 31));
    assert_eq!(ends[0].4, Some(now + DAY * 63 + HOUR));
    assert_eq!(ends[1], ends[0]);
    assert_eq!(ends[2], ends[0]);
}

async fn only_the_code_that_we_gave_and_a_plan_of_ours_join_a_user(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    assert_eq!(t.custom_id(None).await, code, "the same each time");
    let now = t.clock.now();
    t.paypal_tells(&activated("I-1", "guessed", now, now + DAY))
        .await;
    t.paypal_tells(&activated(
        "I-2",
        &t.actor.user_id.to_string(),
        now,
        now + DAY,
    ))
    .await;
    let mut other_plan = activated("I-3", &code, now, now + DAY);
    other_plan["resource"]["plan_id"] = json!("P-ELSEWHERE");
    t.paypal_tells(&other_plan).await;
    for id in ["I-1", "I-2", "I-3"] {
        assert_eq!(t.subscription_of(id).await.unwrap().user_id, None, "{id}");
    }
    let plan = plans::of(&t.app, t.app.db.read(), t.actor.user_id)
        .await
        .unwrap();
    assert_eq!(plan.ends_at, None);
    // A payment comes first, then whose it is.
    t.paypal_tells(&paid("I-4", now)).await;
    assert_eq!(t.subscription_of("I-4").await.unwrap().user_id, None);
    t.paypal_tells(&activated("I-4", &code, now, now + DAY * 31))
        .await;
    let joined = t.subscription_of("I-4").await.unwrap();
    assert_eq!(joined.user_id, Some(t.actor.user_id));
    let plan = plans::of(&t.app, t.app.db.read(), t.actor.user_id)
        .await
        .unwrap();
    assert_eq!(
        (plan.name, plan.ends_at),
        (PlanName::Paid, joined.cutoff_at)
    );
    // It stays theirs, whatever is said later.
    let (other, _) = TestApp::user(&t.app, "bob", &[Scope::AccountsRead]).await;
    let bobs = clipqueue::domain::billing::link::offer(&t.app, &other, None).await;
    let stolen = activated("I-4", &bobs.unwrap().code, now + MINUTE, now + DAY * 31);
    t.paypal_tells(&stolen).await;
    assert_eq!(
        t.subscription_of("I-4").await.unwrap().user_id,
        Some(t.actor.user_id)
    );
}

async fn bodies_of_every_kind_are_answered(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let strange = json!({ "id": "WH-9", "event_type": "CHECKOUT.ORDER.APPROVED", "resource": {} });
    t.paypal_tells(&strange).await;
    assert_eq!(rows(&t).await, (0, 0));
    for body in [
        &b""[..],
        b"[]",
        b"{\"id\":",
        b"\xff\xfe",
        b"{\"event_type\":\"X\"}",
    ] {
        let sent = Sent {
            body: body.to_vec(),
            ..Sent::new(&Value::Null)
        };
        assert_eq!(t.paypal(&sent).await, 400, "{body:?}");
    }
    let long = Sent {
        body: vec![b' '; 300 * 1024],
        ..Sent::new(&Value::Null)
    };
    assert_eq!(t.paypal(&long).await, 413);
}
