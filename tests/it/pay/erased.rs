//! What an erasure leaves of subscriptions: the billing metadata, which leads to nobody here.

use clipqueue::domain::{billing, erasure, retention};
use clipqueue_entities::{billing_link, billing_record, mail, subscription, subscription_payment};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::{
    ADDRESS, CREATOR,
    paypal::{activated, failed, paid, refunded, with_paypal},
};
use crate::support::{
    app::Stack,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(only_the_records_that_the_receipt_names_stay);

async fn only_the_records_that_the_receipt_names_stay(stack: Stack) {
    let mut t = with_paypal(stack, &[("paypal.keep_records", "100d")]).await;
    t.connect(CREATOR).await;
    let code = t.custom_id(Some(ADDRESS)).await;
    let start = t.clock.now();
    t.paypal_tells(&activated("I-BW452GLLEP1G", &code, start, start + DAY))
        .await;
    t.paypal_tells(&failed("I-BW452GLLEP1G", start + MINUTE))
        .await;
    let before = start - DAY * 30;
    t.paypal_tells(&paid("I-BW452GLLEP1G", before)).await;
    let user = t.actor.user_id;
    let names = t
        .known_by(user, None, &["I-BW452GLLEP1G", ADDRESS, code.as_str()])
        .await;
    assert!(names.iter().any(|name| name == "I-BW452GLLEP1G"));
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&names, &status).await;
    let db = t.app.db.read();
    assert_eq!(subscription::Entity::find().count(db).await.unwrap(), 0);
    let payments = subscription_payment::Entity::find().count(db).await;
    assert_eq!(payments.unwrap(), 0);
    assert_eq!(billing_link::Entity::find().count(db).await.unwrap(), 0);
    assert_eq!(mail::Entity::find().count(db).await.unwrap(), 0);

    let kept = billing::keep::records(&t.app).await.unwrap();
    assert_eq!(kept.len(), 1);
    let (record, keep_until) = &kept[0];
    assert_eq!(record.paypal_id, "I-BW452GLLEP1G");
    assert_eq!(record.status, "active");
    assert_eq!(record.paid_until, Some(start + DAY));
    assert_eq!(record.grace_until, Some(start + DAY + HOUR));
    assert_eq!(record.cutoff_at, Some(start + DAY + HOUR));
    let receipt = status.receipt.as_ref().unwrap().to_string();
    assert!(receipt.contains("for accounting"), "{receipt}");
    assert!(receipt.contains("only its payer can end it there"));

    // What PayPal tells later is answered and revives nobody.
    t.paypal_tells(&paid("I-BW452GLLEP1G", t.clock.now())).await;
    assert_eq!(
        subscription::Entity::find()
            .count(t.app.db.read())
            .await
            .unwrap(),
        0
    );
    t.paypal_tells(&refunded("I-BW452GLLEP1G", before, "-9.00"))
        .await;
    t.paypal_tells(&activated(
        "I-LATE",
        &code,
        t.clock.now(),
        t.clock.now() + DAY,
    ))
    .await;
    let late = t.subscription_of("I-LATE").await.unwrap();
    assert_eq!(late.user_id, None);
    t.advance(DAY * 31);
    let pruned = retention::prune(&t.app).await.unwrap();
    assert_eq!(pruned.of("strange_payments"), 1, "it is nobody's");
    assert!(t.subscription_of("I-LATE").await.is_none());

    // The records have an end, too.
    assert!(*keep_until > t.clock.now());
    t.advance(DAY * 70);
    let pruned = retention::prune(&t.app).await.unwrap();
    assert_eq!(pruned.of("billing_records"), 1);
    assert_eq!(
        billing_record::Entity::find()
            .count(t.app.db.read())
            .await
            .unwrap(),
        0
    );
}
