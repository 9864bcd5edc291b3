//! For how long a payment pays, and what is left when it goes back.

use clipqueue::domain::plans;
use clipqueue_entities::{Timestamp, subscription};
use serde_json::{Value, json};

use super::paypal::{PLAN, about, activated, paid, refunded, reversed, with_paypal};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(
    a_renewal_pays_for_the_period_of_its_plan,
    a_payment_that_went_back_gives_no_time_whatever_comes_first,
    a_part_that_went_back_takes_nothing_away,
);

async fn until(t: &TestApp, id: &str) -> Option<Timestamp> {
    t.subscription_of(id).await.unwrap().paid_until
}

async fn is_cut_off(t: &TestApp) -> bool {
    let standing = plans::of(&t.app, t.app.db.read(), t.actor.user_id).await;
    standing.unwrap().cut_off
}

fn refunded_whole(id: &str, at: Timestamp) -> Value {
    refunded(id, at, "-9.00")
}

fn on_plan(mut event: Value, plan: &str) -> Value {
    event["resource"]["plan_id"] = json!(plan);
    event
}

async fn a_renewal_pays_for_the_period_of_its_plan(stack: Stack) {
    let plan_ids = format!("{PLAN},P-YEAR=366d");
    let t = with_paypal(stack, &[("paypal.plan_ids", &plan_ids)]).await;
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    let first = activated("I-1", &code, start, start + DAY * 365);
    t.paypal_tells(&on_plan(first, "P-YEAR")).await;
    assert_eq!(until(&t, "I-1").await, Some(start + DAY * 365));
    // A year later the payment is all that PayPal tells of.
    t.advance(DAY * 365);
    let renewed = t.clock.now();
    t.paypal_tells(&paid("I-1", renewed)).await;
    assert_eq!(until(&t, "I-1").await, Some(renewed + DAY * 366));
    t.advance(DAY * 300);
    assert!(!is_cut_off(&t).await);

    // The plan may become known after the payment.
    let now = t.clock.now();
    t.paypal_tells(&paid("I-2", now)).await;
    assert_eq!(until(&t, "I-2").await, Some(now + DAY * 31));
    let known = activated("I-2", &code, now, now + DAY);
    t.paypal_tells(&on_plan(known, "P-YEAR")).await;
    assert_eq!(until(&t, "I-2").await, Some(now + DAY * 366));
    // What is older does not bring the old plan back.
    t.paypal_tells(&about("UPDATED", "ACTIVE", "I-2", now - DAY))
        .await;
    let row = t.subscription_of("I-2").await.unwrap();
    assert_eq!(row.plan_id.as_deref(), Some("P-YEAR"));
}

async fn a_payment_that_went_back_gives_no_time_whatever_comes_first(stack: Stack) {
    let mut t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    let second = start + DAY * 31;
    let known = |row: subscription::Model| {
        (
            row.user_id,
            row.status,
            row.paid_until,
            row.cutoff_at,
            row.paid_at,
        )
    };
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 2, 1], [2, 3, 1, 0]];
    let ways: [fn(&str, Timestamp) -> Value; 2] = [refunded_whole, reversed];
    for back in ways {
        let mut ends = Vec::new();
        for order in orders {
            let id = format!("I-{}", uuid::Uuid::new_v4().simple());
            // Where PayPal goes on to name the next date, as it does when a payment is given back.
            let mut renewed = about("UPDATED", "ACTIVE", &id, second + MINUTE);
            renewed["resource"]["custom_id"] = json!(code);
            let billing = &mut renewed["resource"]["billing_info"];
            billing["next_billing_time"] = json!(super::paypal::written(second + DAY * 31));
            billing["last_payment"] = json!({ "time": super::paypal::written(second + MINUTE) });
            let events = [
                renewed,
                paid(&id, start),
                paid(&id, second),
                back(&id, second),
            ];
            for at in order {
                t.paypal_tells(&events[at]).await;
                t.paypal_tells(&events[at]).await;
            }
            ends.push(known(t.subscription_of(&id).await.unwrap()));
        }
        assert_eq!(ends[0].0, Some(t.actor.user_id));
        assert_eq!(ends[0].2, Some(second), "the first payment's time stays");
        assert_eq!(ends[0].3, Some(second + HOUR));
        for end in &ends {
            assert_eq!(*end, ends[0]);
        }
    }
    // Access ends with what is left, and a payment gives it again.
    t.advance(DAY * 31 + MINUTE * 30);
    assert!(!is_cut_off(&t).await, "the grace");
    t.advance(HOUR);
    assert!(is_cut_off(&t).await);
    let ours = clipqueue::domain::billing::of(t.app.db.read(), t.actor.user_id).await;
    let id = ours.unwrap().unwrap().paypal_id;
    t.paypal_tells(&paid(&id, t.clock.now())).await;
    assert!(!is_cut_off(&t).await);
    t.drain().await;
}

async fn a_part_that_went_back_takes_nothing_away(stack: Stack) {
    let t = with_paypal(stack, &[]).await;
    let code = t.custom_id(None).await;
    let start = t.clock.now();
    t.paypal_tells(&activated("I-1", &code, start, start + MINUTE))
        .await;
    t.paypal_tells(&paid("I-1", start)).await;
    assert_eq!(until(&t, "I-1").await, Some(start + DAY * 31));
    t.paypal_tells(&refunded("I-1", start, "-2.50")).await;
    t.paypal_tells(&refunded("I-1", start, "-2.50")).await;
    assert_eq!(until(&t, "I-1").await, Some(start + DAY * 31));
    // Together the parts are all of it.
    t.paypal_tells(&refunded("I-1", start, "-6.50")).await;
    assert_eq!(until(&t, "I-1").await, Some(start));
    t.advance(HOUR + MINUTE);
    assert!(is_cut_off(&t).await);
    // A payment for something else that goes back is nobody's.
    t.paypal_tells(&refunded("I-OTHER", start, "-9.00")).await;
    assert!(t.subscription_of("I-OTHER").await.is_none());
}
