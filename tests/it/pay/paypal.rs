//! PayPal, as far as it sends webhooks: it signs with a key of its own, whose certificate the tests'
//! configuration names.

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clipqueue::{domain::billing::link, http};
use clipqueue_entities::{Timestamp, subscription};
use ring::{rand::SystemRandom, signature};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::{Stack, TestApp};

/// The id of our webhook there.
const WEBHOOK: &str = "8PT597110X687430LKGECATA";
/// The plan that is offered.
pub(super) const PLAN: &str = "P-5ML4271244454362W";

/// Where the tests' certificates are.
pub(super) fn certificate(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/tests/it/pay/certificates/{name}.pem")
}

/// A webhook on its way.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) time: String,
    pub(super) webhook: String,
    pub(super) algorithm: &'static str,
    pub(super) certificate: String,
    pub(super) body: Vec<u8>,
    /// What is signed, when it is not the body.
    pub(super) signed: Option<Vec<u8>>,
    pub(super) key: &'static [u8],
}

/// PayPal's own key.
const KEY: &[u8] = include_bytes!("certificates/key.der");
/// Somebody else's.
pub(super) const OTHER_KEY: &[u8] = include_bytes!("certificates/other-key.der");

impl Sent {
    pub(super) fn new(event: &Value) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            time: "2027-01-15T08:00:00Z".to_owned(),
            webhook: WEBHOOK.to_owned(),
            algorithm: "SHA256withRSA",
            certificate: "https://api.paypal.test/v1/notifications/certs/CERT-1".to_owned(),
            body: event.to_string().into_bytes(),
            signed: None,
            key: KEY,
        }
    }

    fn signature(&self) -> String {
        let body = self.signed.as_ref().unwrap_or(&self.body);
        let message = format!(
            "{}|{}|{}|{}",
            self.id,
            self.time,
            self.webhook,
            crc32fast::hash(body)
        );
        let key = signature::RsaKeyPair::from_pkcs8(self.key).unwrap();
        let mut bytes = vec![0; key.public().modulus_len()];
        let random = SystemRandom::new();
        key.sign(
            &signature::RSA_PKCS1_SHA256,
            &random,
            message.as_bytes(),
            &mut bytes,
        )
        .unwrap();
        STANDARD.encode(bytes)
    }

    fn request(&self) -> Request<Body> {
        Request::post("/webhooks/paypal")
            .header("content-type", "application/json")
            .header("paypal-transmission-id", &self.id)
            .header("paypal-transmission-time", &self.time)
            .header("paypal-cert-url", &self.certificate)
            .header("paypal-auth-algo", self.algorithm)
            .header("paypal-transmission-sig", self.signature())
            .body(Body::from(self.body.clone()))
            .unwrap()
    }
}

/// The product with PayPal's webhook, and a grace of an hour.
pub(crate) async fn with_paypal(stack: Stack, more: &[(&str, &str)]) -> TestApp {
    let (chain, root) = (certificate("chain"), certificate("root"));
    let mut settings = vec![
        ("paypal.webhook_id", WEBHOOK),
        ("paypal.plan_ids", PLAN),
        ("paypal.certificates", chain.as_str()),
        ("paypal.roots", root.as_str()),
        ("paypal.grace", "1h"),
        (
            "tiktok.scopes",
            "user.info.basic,user.info.profile,video.list,video.upload,video.publish",
        ),
    ];
    settings.extend_from_slice(more);
    TestApp::start_with(stack, &settings).await
}

impl TestApp {
    /// PayPal sends something; the status that it is answered with.
    pub(super) async fn paypal(&self, sent: &Sent) -> u16 {
        let token = CancellationToken::new;
        let router = http::router(&self.app, None, token(), token());
        let answer = router.oneshot(sent.request()).await.unwrap();
        answer.status().as_u16()
    }

    /// PayPal tells of something and is believed.
    pub(super) async fn paypal_tells(&self, event: &Value) {
        assert_eq!(self.paypal(&Sent::new(event)).await, 200, "{event}");
    }

    /// The code by which PayPal names the test's user.
    pub(crate) async fn custom_id(&self, email: Option<&str>) -> String {
        link::offer(&self.app, &self.actor, email)
            .await
            .unwrap()
            .code
    }

    pub(super) async fn subscription_of(&self, paypal_id: &str) -> Option<subscription::Model> {
        subscription::Entity::find()
            .filter(subscription::Column::PaypalId.eq(paypal_id))
            .one(self.app.db.read())
            .await
            .unwrap()
    }
}

/// An instant as PayPal writes it.
pub(super) fn written(at: Timestamp) -> String {
    clipqueue::domain::erasure::receipt::instant(at)
}

/// Something about a subscription itself.
pub(super) fn about(kind: &str, status: &str, id: &str, at: Timestamp) -> Value {
    json!({
        "id": format!("WH-{kind}-{id}-{}", at.as_millis()),
        "event_type": format!("BILLING.SUBSCRIPTION.{kind}"),
        "create_time": written(at),
        "resource": {
            "id": id, "plan_id": PLAN, "status": status, "update_time": written(at),
            "subscriber": { "email_address": "payer@example.net" },
            "billing_info": { "failed_payments_count": 0 },
        },
    })
}

/// It was agreed to and paid: until `next`.
pub(super) fn activated(id: &str, custom_id: &str, at: Timestamp, next: Timestamp) -> Value {
    let mut event = about("ACTIVATED", "ACTIVE", id, at);
    event["resource"]["custom_id"] = json!(custom_id);
    event["resource"]["billing_info"]["next_billing_time"] = json!(written(next));
    event
}

/// A payment came.
pub(super) fn paid(id: &str, at: Timestamp) -> Value {
    json!({
        "id": format!("WH-SALE-{id}-{}", at.as_millis()),
        "event_type": "PAYMENT.SALE.COMPLETED",
        "create_time": written(at),
        "resource": {
            "id": sale(id, at), "billing_agreement_id": id, "create_time": written(at),
            "amount": { "total": "9.00", "currency": "EUR" },
        },
    })
}

/// PayPal's id of a payment.
fn sale(id: &str, at: Timestamp) -> String {
    format!("SALE-{id}-{}", at.as_millis())
}

/// So much of the payment that was made at `at` went back.
pub(super) fn refunded(id: &str, at: Timestamp, total: &str) -> Value {
    json!({
        "id": format!("WH-REFUND-{id}-{}-{total}", at.as_millis()),
        "event_type": "PAYMENT.SALE.REFUNDED",
        "create_time": written(at),
        "resource": {
            "id": "6YX43824R4443062K", "sale_id": sale(id, at), "create_time": written(at),
            "amount": { "total": total, "currency": "EUR" }, "state": "completed",
        },
    })
}

/// The payment that was made at `at` was reversed.
pub(super) fn reversed(id: &str, at: Timestamp) -> Value {
    json!({
        "id": format!("WH-REVERSAL-{id}-{}", at.as_millis()),
        "event_type": "PAYMENT.SALE.REVERSED",
        "create_time": written(at),
        "resource": {
            "id": sale(id, at), "create_time": written(at), "state": "completed",
            "amount": { "total": "-9.00", "currency": "EUR" },
        },
    })
}

/// A payment failed.
pub(super) fn failed(id: &str, at: Timestamp) -> Value {
    let mut event = about("PAYMENT.FAILED", "ACTIVE", id, at);
    event["resource"]["billing_info"]["failed_payments_count"] = json!(1);
    event["resource"]["billing_info"]["last_failed_payment"] = json!({ "time": written(at) });
    event
}
