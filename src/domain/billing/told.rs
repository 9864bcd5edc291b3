//! Reading an event of PayPal's: which subscription, and what of it. Nothing else of the body is looked at
//! or kept. Pure.

use std::time::Duration;

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

/// What is told of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// PayPal's id of it.
    pub subscription: String,
    /// The code that we gave, and the plan; only what is told of the subscription itself has them.
    pub joins: Option<(String, String)>,
    /// What is known now.
    pub facts: Facts,
}

/// The longest id of PayPal's that is kept.
const MAX_ID: usize = 64;

impl Told {
    /// Reads a body. Nothing, when it is no event.
    pub fn read(body: &[u8], period: Duration) -> Option<Self> {
        let event: Value = serde_json::from_slice(body).ok()?;
        let id = text(&event, "id")?;
        let about = about(&event, period);
        Some(Self {
            event: id.to_owned(),
            about: about.filter(|about| about.subscription.len() <= MAX_ID),
        })
    }
}

fn about(event: &Value, period: Duration) -> Option<About> {
    let resource = &event["resource"];
    let kind = text(event, "event_type")?;
    if kind == "PAYMENT.SALE.COMPLETED" {
        let paid_at = instant(&resource["create_time"])?;
        return Some(About {
            subscription: text(resource, "billing_agreement_id")?.to_owned(),
            joins: None,
            facts: Facts {
                paid_at: Some(paid_at),
                paid_until: Some(paid_at + period),
                ..Facts::default()
            },
        });
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
    let joins = text(resource, "custom_id").zip(text(resource, "plan_id"));
    Some(About {
        subscription: text(resource, "id")?.to_owned(),
        joins: joins.map(|(code, plan)| (code.to_owned(), plan.to_owned())),
        facts: Facts {
            status: status.map(|status| (status, told_at)),
            paid_until: next.max(paid_at.map(|at| at + period)),
            paid_at,
            failed_at: failed
                .then(|| instant(&billing["last_failed_payment"]["time"]).unwrap_or(told_at)),
        },
    })
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

    const PERIOD: Duration = Duration::from_secs(31 * 86_400);

    fn read(value: &Value) -> Option<Told> {
        Told::read(value.to_string().as_bytes(), PERIOD)
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
        let about = read(&event).unwrap().about.unwrap();
        assert_eq!(about.joins, Some(("code".to_owned(), "P-1".to_owned())));
        assert_eq!(about.facts.status.unwrap().0, SubscriptionStatus::Active);
        assert_eq!(
            about.facts.paid_until,
            instant(&json!("2026-12-27T10:00:00Z"))
        );
        let mut failed = event;
        failed["event_type"] = json!("BILLING.SUBSCRIPTION.PAYMENT.FAILED");
        failed["resource"]["billing_info"]["failed_payments_count"] = json!(1);
        let facts = read(&failed).unwrap().about.unwrap().facts;
        assert_eq!(facts.status, None);
        assert!(facts.failed_at > facts.paid_at);
        assert!(facts.paid_until < instant(&json!("2026-12-27T10:00:00Z")));
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
            let _ = Told::read(&bytes, PERIOD);
            let event = json!({
                "id": "x", "event_type": format!("BILLING.SUBSCRIPTION.{kind}"), "create_time": time,
                "resource": { "id": "I", "status": kind, "update_time": time },
            });
            let _ = read(&event);
        }
    }
}
