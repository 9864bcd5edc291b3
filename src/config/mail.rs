//! `[mail]`, and `[paypal]`: letters to people, and what they pay.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    reader::Reader,
    units::{MAX_DURATION, parse_duration},
};
use crate::mail::{Outbox, Security, Server, is_address};

/// `[mail]`
#[derive(Clone, Debug)]
pub struct Mail {
    /// Where letters go.
    pub outbox: Outbox,
    /// Who writes them.
    pub from: String,
    /// Who is reminded of what is due.
    pub operators: Vec<String>,
}

/// `[paypal]`
#[derive(Clone, Debug)]
pub struct Paypal {
    /// The id of our webhook there; none, when nothing is taken from PayPal.
    pub webhook_id: Option<String>,
    /// Plans that users may subscribe to.
    pub plans: Vec<PaypalPlan>,
    /// Files of PayPal's certificates, each with what leads to a root.
    pub certificates: Vec<PathBuf>,
    /// A file of roots to trust for them; those of the public web, when absent.
    pub roots: Option<PathBuf>,
    /// What a payment pays for, where its plan says nothing else.
    pub period: Duration,
    /// How long access goes on after a period that was not followed by a payment.
    pub grace: Duration,
    /// What remains afterwards.
    pub after_cutoff: AfterCutoff,
    /// How long records are kept after their user was erased.
    pub keep_records: Duration,
}

/// A plan at PayPal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaypalPlan {
    /// PayPal's id.
    pub id: String,
    /// What one payment pays for; `paypal.period`, when nothing was said.
    pub period: Option<Duration>,
}

impl Paypal {
    /// Whether users may subscribe to the plan of that id.
    pub fn offers(&self, id: &str) -> bool {
        self.plans.iter().any(|plan| plan.id == id)
    }

    /// What one payment for a plan pays for; the plan may not be known yet.
    pub fn period_of(&self, id: Option<&str>) -> Duration {
        let plan = self.plans.iter().find(|plan| Some(plan.id.as_str()) == id);
        plan.and_then(|plan| plan.period).unwrap_or(self.period)
    }
}

/// What remains when a subscription's access has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCutoff {
    /// No more posts are accepted until it is paid or an operator gives a plan.
    Stop,
    /// The free plan.
    Free,
}

pub(super) fn mail(r: &mut Reader<'_>) -> Mail {
    let user = r.text("mail.user");
    let password = r.secret("mail.password");
    let insecure = r.flag("mail.insecure");
    Mail {
        outbox: outbox(r, user, password, insecure),
        from: r
            .parsed(
                "mail.from",
                "an address such as Clipqueue <clipqueue@example.com>",
                |text| is_address(text).then(|| text.to_owned()),
            )
            .unwrap_or_default(),
        operators: r.parsed_list(
            "mail.operators",
            "an address such as ops@example.com",
            |text| is_address(text).then(|| text.to_owned()),
        ),
    }
}

fn outbox(r: &mut Reader<'_>, user: String, password: SecretString, insecure: bool) -> Outbox {
    const KEY: &str = "mail.url";
    let text = r.text(KEY);
    let given = !user.is_empty() && !password.expose_secret().is_empty();
    if !text.starts_with("smtp:") && !text.starts_with("smtps:") {
        if text.is_empty() || text.contains("://") {
            r.problem(
                KEY,
                "must be a directory, smtp://host:587 or smtps://host:465",
            );
        }
        return Outbox::Directory(PathBuf::from(text));
    }
    let url = Url::parse(&text).ok();
    let server = url.as_ref().and_then(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        let host = url.host_str().filter(|host| plain && !host.is_empty())?;
        let secure = url.scheme() == "smtps";
        Some(Server {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(if secure { 465 } else { 587 }),
            security: match (secure, insecure) {
                (true, _) => Security::Tls,
                (false, false) => Security::StartTls,
                (false, true) => Security::None,
            },
            user: user.clone(),
            password: password.clone(),
        })
    });
    let Some(server) = server else {
        r.problem(
            KEY,
            "must name a server, such as smtp://mail.example.com:587; user and password are keys of their own",
        );
        return Outbox::Directory(PathBuf::new());
    };
    let here = ["127.0.0.1", "::1", "localhost"].contains(&server.host.as_str());
    if server.security == Security::None && (!here || given) {
        r.problem(
            "mail.insecure",
            "is for a server on this machine that asks for no password: letters hold codes and addresses",
        );
    }
    Outbox::Smtp(server)
}

/// `ID`, or `ID=PERIOD`.
fn plan(text: &str) -> Option<PaypalPlan> {
    let (id, period) = match text.split_once('=') {
        None => (text, None),
        Some((id, period)) => {
            let period = parse_duration(period.trim());
            (id.trim(), Some(period.filter(|period| is_period(*period))?))
        }
    };
    let fits = !id.is_empty()
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    fits.then(|| PaypalPlan {
        id: id.to_owned(),
        period,
    })
}

fn is_period(period: Duration) -> bool {
    !period.is_zero() && period <= MAX_DURATION
}

pub(super) fn paypal(r: &mut Reader<'_>) -> Paypal {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let paypal = Paypal {
        webhook_id: filled(r.text("paypal.webhook_id")),
        plans: r.parsed_list(
            "paypal.plan_ids",
            "an id such as P-5ML4271244454362W, or with what a payment pays for: P-5ML4271244454362W=366d",
            plan,
        ),
        certificates: r.parsed_list("paypal.certificates", "the path of a file", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        }),
        roots: filled(r.text("paypal.roots")).map(PathBuf::from),
        period: r.duration("paypal.period"),
        grace: r.duration_or_zero("paypal.grace").unwrap_or_default(),
        after_cutoff: r
            .parsed("paypal.after_cutoff", "stop or free", |text| match text {
                "stop" => Some(AfterCutoff::Stop),
                "free" => Some(AfterCutoff::Free),
                _ => None,
            })
            .unwrap_or(AfterCutoff::Stop),
        keep_records: r.duration("paypal.keep_records"),
    };
    if paypal.webhook_id.is_some() && paypal.certificates.is_empty() {
        r.problem(
            "paypal.certificates",
            "must name at least one file, or no webhook can be verified",
        );
    }
    paypal
}
