//! What a subscription gives, and what is left when it ends.

use clipqueue::domain::{
    billing,
    error::Code,
    plans,
    posts::{self, NewPost},
};
use clipqueue_entities::{
    UserId,
    post::PostState,
    user,
    user_plan::{self, PlanName},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::json;

use super::{
    ADDRESS,
    paypal::{about, activated, failed, paid, with_paypal},
    smtp,
};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR, MINUTE, codes},
};

crate::on_both_stacks_by_hand!(
    access_ends_after_the_grace_and_what_was_accepted_goes_on,
    a_cancelled_subscription_lasts_as_long_as_it_was_paid,
    the_free_plan_may_be_what_remains,
    a_plan_that_an_operator_gave_stays_when_it_lasts_longer,
    a_subscription_is_shown_and_offered_by_the_api,
    an_end_behind_many_others_is_told,
);

async fn standing(t: &TestApp) -> plans::Standing {
    plans::of(&t.app, t.app.db.read(), t.actor.user_id)
        .await
        .unwrap()
}

async fn access_ends_after_the_grace_and_what_was_accepted_goes_on(stack: Stack) {
    let server = smtp::Server::start().await;
    let url = server.url();
    let mail = [("mail.url", url.as_str()), ("mail.insecure", "true")];
    let mut t = with_paypal(stack, &mail).await;
    let (account, media) = t.ready().await;
    let code = t.custom_id(Some(ADDRESS)).await;
    let start = t.clock.now();
    let until = start + HOUR * 2;
    t.paypal_tells(&activated("I-1", &code, start, until)).await;
    let plan = standing(&t).await;
    assert_eq!(
        (plan.name, plan.ends_at),
        (PlanName::Paid, Some(until + HOUR))
    );
    let later = NewPost {
        publish_at: Some(start + HOUR * 4),
        ..TestApp::captioned(account, media, "accepted before the end")
    };
    let accepted = t.post(later.clone()).await;

    // A payment fails: it is told, once, and access goes on.
    t.advance(HOUR * 2 + MINUTE);
    t.paypal_tells(&failed("I-1", t.clock.now())).await;
    t.paypal_tells(&failed("I-1", t.clock.now())).await;
    t.drain().await;
    assert_eq!(t.kinds_of_mails().await, ["payment_failed"]);
    assert!(!standing(&t).await.cut_off);
    billing::clock::sweep(&t.app).await.unwrap();
    billing::clock::sweep(&t.app).await.unwrap();
    t.drain().await;
    assert_eq!(t.kinds_of_mails().await, ["grace_ending", "payment_failed"]);

    // The end.
    t.advance(HOUR);
    assert!(standing(&t).await.cut_off);
    let more = posts::create(&t.app, &t.actor, later.clone(), "more").await;
    assert_eq!(codes(more), [Code::PlanEnded]);
    assert_eq!(
        codes(posts::check(&t.app, &t.actor, &later).await),
        [Code::PlanEnded]
    );
    billing::clock::sweep(&t.app).await.unwrap();
    t.drain().await;
    assert_eq!(t.kinds_of_mails().await.len(), 3);
    assert_eq!(server.letters().len(), 3);
    assert!(server.letters().iter().all(|letter| letter.to == ADDRESS));
    t.run_until_within(accepted.id, PostState::Published, HOUR * 2)
        .await;

    // Paid again.
    t.paypal_tells(&paid("I-1", t.clock.now())).await;
    assert!(!standing(&t).await.cut_off);
    t.post(TestApp::captioned(account, media, "after the end"))
        .await;
    t.drain().await;
}

async fn a_cancelled_subscription_lasts_as_long_as_it_was_paid(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    t.paypal_tells(&activated("I-1", &code, start, start + DAY))
        .await;
    t.paypal_tells(&about("CANCELLED", "CANCELLED", "I-1", start + MINUTE))
        .await;
    let row = t.subscription_of("I-1").await.unwrap();
    assert_eq!((row.grace_until, row.cutoff_at), (None, Some(start + DAY)));
    assert_eq!(standing(&t).await.ends_at, Some(start + DAY));
    // A new one begins before the old one has ended: the longer counts.
    t.paypal_tells(&activated("I-2", &code, start + HOUR, start + DAY * 30))
        .await;
    assert_eq!(standing(&t).await.ends_at, Some(start + DAY * 30 + HOUR));
    t.paypal_tells(&paid("I-1", start)).await;
    assert_eq!(
        billing::of(t.app.db.read(), t.actor.user_id)
            .await
            .unwrap()
            .unwrap()
            .paypal_id,
        "I-1"
    );
}

async fn the_free_plan_may_be_what_remains(stack: Stack) {
    let settings = [("paypal.after_cutoff", "free")];
    let t = with_paypal(stack, &settings).await;
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    t.paypal_tells(&activated("I-1", &code, start, start + HOUR))
        .await;
    t.advance(HOUR * 3);
    let plan = standing(&t).await;
    assert_eq!((plan.name, plan.cut_off), (PlanName::Free, false));
    let (account, media) = t.ready().await;
    let later = NewPost {
        publish_at: Some(t.clock.now() + DAY),
        ..TestApp::inbox(account, media)
    };
    t.post(later).await;
}

async fn a_plan_that_an_operator_gave_stays_when_it_lasts_longer(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    plans::set(&t.app, None, "ada", PlanName::Paid, None)
        .await
        .unwrap();
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    t.paypal_tells(&activated("I-1", &code, start, start + HOUR))
        .await;
    assert_eq!(standing(&t).await.ends_at, None);
    t.advance(DAY);
    assert!(!standing(&t).await.cut_off);
    // A trial gives way to what is paid, and an operator's word to a payment that is longer.
    plans::set(&t.app, None, "ada", PlanName::Trial, None)
        .await
        .unwrap();
    t.paypal_tells(&paid("I-1", t.clock.now())).await;
    assert_eq!(standing(&t).await.name, PlanName::Paid);
    let end = standing(&t).await.ends_at;
    assert_eq!(end, t.subscription_of("I-1").await.unwrap().cutoff_at);
    // Whoever was cut off is let in again by an operator.
    t.advance(DAY * 40);
    assert!(standing(&t).await.cut_off);
    plans::set(&t.app, None, "ada", PlanName::Free, None)
        .await
        .unwrap();
    assert!(!standing(&t).await.cut_off);
    t.paypal_tells(&about("EXPIRED", "EXPIRED", "I-1", t.clock.now()))
        .await;
    assert!(!standing(&t).await.cut_off);
}

async fn a_subscription_is_shown_and_offered_by_the_api(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let prepare = "mutation ($email: String) { prepareSubscription(input: { email: $email }) {
        offer { customId planIds } userErrors { field code } } }";
    let asked = t
        .graphql(Some(&t.key), prepare, json!({ "email": "no address" }))
        .await;
    let errors = &asked["data"]["prepareSubscription"]["userErrors"];
    assert_eq!(
        errors,
        &json!([{ "field": ["input", "email"], "code": "INVALID" }])
    );
    let asked = t
        .graphql(Some(&t.key), prepare, json!({ "email": ADDRESS }))
        .await;
    let offer = &asked["data"]["prepareSubscription"]["offer"];
    assert_eq!(offer["planIds"], json!([super::paypal::PLAN]));
    let show =
        "{ subscription { status paypalId accessUntil } usage { plan { name accessEnded } } }";
    let before = t.graphql(Some(&t.key), show, json!({})).await;
    assert_eq!(before["data"]["subscription"], json!(null), "{before}");
    let now = t.clock.now();
    let code = offer["customId"].as_str().unwrap();
    t.paypal_tells(&activated("I-1", code, now, now + HOUR))
        .await;
    let shown = t.graphql(Some(&t.key), show, json!({})).await;
    assert_eq!(shown["data"]["subscription"]["status"], "ACTIVE", "{shown}");
    assert_eq!(shown["data"]["subscription"]["paypalId"], "I-1");
    assert_eq!(shown["data"]["usage"]["plan"]["accessEnded"], false);
    t.advance(HOUR * 3);
    let shown = t.graphql(Some(&t.key), show, json!({})).await;
    assert_eq!(
        shown["data"]["usage"]["plan"]["accessEnded"], true,
        "{shown}"
    );
}

/// More than the sweep reads at once.
const MANY: usize = 1100;

async fn an_end_behind_many_others_is_told(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let start = t.clock.now();
    let code = t.custom_id(Some(ADDRESS)).await;
    t.paypal_tells(&activated("I-1", &code, start, start + HOUR * 2))
        .await;
    // Their access ended before, and nobody knows where to write to.
    let ids: Vec<UserId> = (0..MANY).map(|_| UserId::new()).collect();
    let users = ids.iter().map(|id| user::ActiveModel {
        id: Set(*id),
        name: Set(format!("payer-{id}")),
        created_at: Set(start),
        ..Default::default()
    });
    let plans = ids.iter().map(|id| user_plan::ActiveModel {
        user_id: Set(*id),
        plan: Set(PlanName::Paid),
        ends_at: Set(Some(start + HOUR)),
        changed_at: Set(start),
        by_subscription: Set(true),
    });
    let db = t.app.db.write();
    user::Entity::insert_many(users)
        .exec_without_returning(db)
        .await
        .unwrap();
    user_plan::Entity::insert_many(plans)
        .exec_without_returning(db)
        .await
        .unwrap();
    t.advance(HOUR * 2 + MINUTE);
    billing::clock::sweep(&t.app).await.unwrap();
    assert_eq!(t.kinds_of_mails().await, ["grace_ending"]);
}
