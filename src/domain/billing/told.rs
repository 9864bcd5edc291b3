//! Reading an event of PayPal's: which subscription, and what of it. Nothing else of the body is looked at
//! or kept. Pure.

use chrono::DateTime;
use clipqueue_entities::{Timestamp, subscription::SubscriptionStatus};
use serde_json::Value;

use super::facts::Facts;

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// PayPal's id of the event.
    pub event: String,
    /// About what, if it is about a subscription in a way that is known here.
    pub about: Option<About>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A subscription, or a payment for one.
    Subscription(OfSubscription),
    /// Money that went back.
    Return(Return),
}

/// What is told of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfSubscription {
    /// PayPal's id of it.
    pub subscription: String,
    /// The code that we gave, and the plan; only what is told of the subscription itself has them.
    pub joins: Option<(String, String)>,
    /// What is known now.
    pub facts: Facts,
    /// The payment, when it is about one.
    pub payment: Option<Sale>,
}

/// A payment that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// PayPal's id of it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// How much, in thousandths of whatever currency.
    pub amount: Option<i64>,
}

/// A refund or a reversal. It names the payment and no subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// PayPal's id of the payment.
    pub sale: String,
    /// How much went back, in thousandths; [`ALL`], when nothing is said.
    pub amount: i64,
}

/// More than anything that is paid, and little enough to be added up.
pub const ALL: i64 = 1 << 50;
/// The longest id of PayPal's that is kept.
const MAX_ID: usize = 64;

impl Told {
    /// Reads a body. Nothing, when it is no event.
    pub fn read(body: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(body).ok()?;
        let id = text(&event, "id")?;
        let about = about(&event).filter(|about| match about {
            About::Subscription(told) => told.subscription.len() <= MAX_ID,
            About::Return(_) => true,
        });
        Some(Self {
            event: id.to_owned(),
            about,
        })
    }
}

fn about(event: &Value) -> Option<About> {
    let resource = &event["resource"];
    let kind = text(event, "event_type")?;
    match kind {
        "PAYMENT.SALE.COMPLETED" => return sale(resource).map(About::Subscription),
        "PAYMENT.SALE.REFUNDED" => return went_back(resource, text(resource, "sale_id")?),
        "PAYMENT.SALE.REVERSED" => {
            // What is told is the payment itself, or what takes it back.
            let sale = text(resource, "sale_id").or_else(|| text(resource, "id"))?;
            return went_back(resource, sale);
        }
        _ => {}
    }
    let kind = kind.strip_prefix("BILLING.SUBSCRIPTION.")?;
    let told_at = ["update_time", "status_update_time"]
        .iter()
        .find_map(|name| instant(&resource[*name]))
        .or_else(|| instant(&event["create_time"]))?;
    let failed = kind == "PAYMENT.FAILED";
    let status = match text(resource, "status").and_then(status) {
        // A failed payment says nothing of the subscription's own state.
        _ if failed => None,
        Some(status) => Some(status),
        None => by_kind(kind),
    };
    if status.is_none() && !failed {
        return None;
    }
    let billing = &resource["billing_info"];
    let paid_at = instant(&billing["last_payment"]["time"]);
    let failures = billing["failed_payments_count"].as_u64().unwrap_or(0);
    // PayPal names the next date even where the last payment failed.
    let is_good = status == Some(SubscriptionStatus::Active) && failures == 0;
    let next = instant(&billing["next_billing_time"]).filter(|_| is_good);
    let plan = text(resource, "plan_id").filter(|plan| plan.len() <= MAX_ID);
    let joins = text(resource, "custom_id").zip(plan);
    Some(About::Subscription(OfSubscription {
        subscription: text(resource, "id")?.to_owned(),
        joins: joins.map(|(code, plan)| (code.to_owned(), plan.to_owned())),
        payment: None,
        facts: Facts {
            status: status.map(|status| (status, told_at)),
            plan: plan.map(|plan| (plan.to_owned(), told_at)),
            told_until: next,
            paid_at,
            failed_at: failed
                .then(|| instant(&billing["last_failed_payment"]["time"]).unwrap_or(told_at)),
        },
    }))
}

fn sale(resource: &Value) -> Option<OfSubscription> {
    let at = instant(&resource["create_time"])?;
    let payment = text(resource, "id").map(|id| Sale {
        id: id.to_owned(),
        at,
        amount: amount(resource),
    });
    Some(OfSubscription {
        subscription: text(resource, "billing_agreement_id")?.to_owned(),
        joins: None,
        payment,
        facts: Facts {
            paid_at: Some(at),
            ..Facts::default()
        },
    })
}

fn went_back(resource: &Value, sale: &str) -> Option<About> {
    Some(About::Return(Return {
        sale: sale.to_owned(),
        amount: amount(resource).unwrap_or(ALL),
    }))
}

/// How much, in thousandths and without a sign: PayPal writes what goes back with one or without.
fn amount(resource: &Value) -> Option<i64> {
    let written = text(&resource["amount"], "total")?.trim_start_matches('-');
    let (whole, part) = written.split_once('.').unwrap_or((written, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > 3 {
        return None;
    }
    let thousandths: i64 = format!("{whole}{part:0<3}").parse().ok()?;
    (thousandths < ALL).then_some(thousandths)
}

fn status(word: &str) -> Option<SubscriptionStatus> {
    Some(match word {
        "APPROVAL_PENDING" | "APPROVED" => SubscriptionStatus::Created,
        "ACTIVE" => SubscriptionStatus::Active,
        "SUSPENDED" => SubscriptionStatus::Suspended,
        "CANCELLED" => SubscriptionStatus::Cancelled,
        "EXPIRED" => SubscriptionStatus::Expired,
        _ => return None,
    })
}

fn by_kind(kind: &str) -> Option<SubscriptionStatus> {
    Some(match kind {
        "CREATED" => SubscriptionStatus::Created,
        "ACTIVATED" | "RE-ACTIVATED" => SubscriptionStatus::Active,
        "SUSPENDED" => SubscriptionStatus::Suspended,
        "CANCELLED" => SubscriptionStatus::Cancelled,
        "EXPIRED" => SubscriptionStatus::Expired,
        _ => return None,
    })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value[name].as_str().filter(|text| !text.is_empty())
}

fn instant(value: &Value) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(Timestamp::from_millis(time.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Option<Told> {
        Told::read(value.to_string().as_bytes())
    }

    fn subscription(value: &Value) -> OfSubscription {
        match read(value).unwrap().about {
            Some(About::Subscription(told)) => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_payment_and_what_goes_back_of_it_are_one() {
        let mut event = json!({
            "id": "WH-1", "event_type": "PAYMENT.SALE.COMPLETED",
            "resource": {
                "id": "8002", "billing_agreement_id": "I-1", "create_time": "2026-11-25T08:00:00Z",
                "amount": { "total": "9.5", "currency": "EUR" },
            },
        });
        let sale = subscription(&event).payment.unwrap();
        assert_eq!((sale.id.as_str(), sale.amount), ("8002", Some(9_500)));
        event["resource"]["amount"]["total"] = json!("1,000.00");
        assert_eq!(subscription(&event).payment.unwrap().amount, None);
        let back = |kind: &str, resource: Value| {
            let event = json!({ "id": "WH-2", "event_type": kind, "resource": resource });
            read(&event).unwrap().about
        };
        let of = |amount| {
            Some(About::Return(Return {
                sale: "8002".to_owned(),
                amount,
            }))
        };
        let refund = json!({ "id": "6YX4", "sale_id": "8002", "amount": { "total": "-9.50" } });
        assert_eq!(back("PAYMENT.SALE.REFUNDED", refund.clone()), of(9_500));
        assert_eq!(back("PAYMENT.SALE.REVERSED", refund), of(9_500));
        let reversal = json!({ "id": "8002", "state": "completed" });
        assert_eq!(back("PAYMENT.SALE.REVERSED", reversal.clone()), of(ALL));
        assert_eq!(back("PAYMENT.SALE.REFUNDED", reversal), None);
    }

    #[test]
    fn only_what_is_needed_is_read() {
        let event = json!({
            "id": "WH-1", "event_type": "BILLING.SUBSCRIPTION.ACTIVATED",
            "create_time": "2026-11-25T08:00:00Z",
            "resource": {
                "id": "I-1", "status": "ACTIVE", "custom_id": "code", "plan_id": "P-1",
                "update_time": "2026-11-25T07:59:59Z",
                "subscriber": { "email_address": "somebody@example.com" },
                "billing_info": {
                    "last_payment": { "time": "2026-11-25T07:59:00Z", "amount": { "value": "9.00" } },
                    "next_billing_time": "2026-12-27T10:00:00Z", "failed_payments_count": 0,
                },
            },
        });
        let about = subscription(&event);
        assert_eq!(about.joins, Some(("code".to_owned(), "P-1".to_owned())));
        assert_eq!(about.facts.status.unwrap().0, SubscriptionStatus::Active);
        assert_eq!(about.facts.plan.unwrap().0, "P-1");
        assert_eq!(
            about.facts.told_until,
            instant(&json!("2026-12-27T10:00:00Z"))
        );
        let mut failed = event;
        failed["event_type"] = json!("BILLING.SUBSCRIPTION.PAYMENT.FAILED");
        failed["resource"]["billing_info"]["failed_payments_count"] = json!(1);
        let facts = subscription(&failed).facts;
        assert_eq!(facts.status, None);
        assert!(facts.failed_at > facts.paid_at);
        assert_eq!(facts.told_until, None);
        assert_eq!(
            read(&json!({ "id": "WH-2", "event_type": "OTHER" }))
                .unwrap()
                .about,
            None
        );
        assert_eq!(read(&json!({ "event_type": "OTHER" })), None);
    }

    proptest! {
        #[test]
        fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), time in ".{0,40}", kind in "[A-Z.-]{0,30}") {
            let _ = Told::read(&bytes);
            let event = json!({
                "id": "x", "event_type": format!("BILLING.SUBSCRIPTION.{kind}"), "create_time": time,
                "resource": { "id": "I", "status": kind, "update_time": time },
            });
            let _ = read(&event);
        }
    }
}
