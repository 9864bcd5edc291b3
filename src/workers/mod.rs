//! What each job does: one short file a kind, one match arm here.
//!
//! A worker begins by reading the truth, returns at once when its step is behind it, and says how it
//! ended: done, snooze, retry, hold, cancel. It never decides when a retry comes (the queue does) nor
//! whether a change is legal (`domain` does).

mod apply_notice;
mod audit_drift;
mod bulk_act;
mod canary;
mod check_source;
mod deliver_webhook;
mod erase;
mod expire_uploads;
mod export_data;
mod find_video;
mod follow_events;
mod import_media;
mod look_at_profile;
mod plan_metrics;
mod poll_post;
mod prune;
mod refresh_due_tokens;
mod refresh_metrics;
mod refresh_token;
mod roll_up_metrics;
mod send_mail;
mod stop_pull;
mod sweep_outbound;
mod sweep_posts;
mod sweep_terms;
mod upload_post;

use std::time::Duration;

use clipqueue_entities::AccountId;
use tiktok::Endpoint;
use uuid::Uuid;

use crate::{
    app::App,
    calls::{Cause, Wait},
    domain::{self, accounts::REAUTH_REQUIRED, tokens::NoToken},
    job::Job,
    queue::{Failure, Lease, Outcome, Ran, Run},
};

/// The wait for a refresh that somebody else carries out.
const REFRESH_WAIT: Duration = Duration::from_secs(3);
/// The part of a wait by which those who wait for the same instant are spread.
const SPREAD_PERCENT: u32 = 20;

/// Runs one claimed job.
pub async fn run(app: App, run: Run) -> Ran {
    let job = match Job::read(&run.job.kind, run.job.args.clone()) {
        Ok(job) => job,
        Err(error) => {
            return Err(Failure::Unreadable {
                error: error.into(),
            });
        }
    };
    let last_attempt = run.job.attempt >= run.job.max_attempts;
    let lease = run.lease;
    let ended = match job {
        Job::ApplyNotice { notice_id, .. } => apply_notice::run(&app, &lease, notice_id).await,
        Job::AuditDrift {} => audit_drift::run(&app, &lease).await,
        Job::Canary { queue } => canary::run(&app, &queue, &run.job).await,
        Job::BulkAct { bulk_act_id } => bulk_act::run(&app, &lease, bulk_act_id).await,
        Job::Erase { erasure_id } => Box::pin(erase::run(&app, &lease, erasure_id)).await,
        Job::CheckSource { source_id, .. } => check_source::run(&app, source_id).await,
        Job::DeliverWebhook { delivery_id, .. } => {
            deliver_webhook::run(&app, &lease, delivery_id).await
        }
        Job::FollowEvents { user_id } => follow_events::run(&app, user_id).await,
        Job::ImportMedia { import_id, .. } => {
            Box::pin(import_media::run(&app, import_id, last_attempt)).await
        }
        Job::SweepOutbound {} => sweep_outbound::run(&app).await,
        Job::ExpireUploads {} => expire_uploads::run(&app).await,
        Job::ExportData { export_id, .. } => {
            export_data::run(&app, &lease, export_id, last_attempt).await
        }
        Job::LookAtProfile { request_id } => Box::pin(look_at_profile::run(&app, request_id)).await,
        Job::PlanMetrics {} => plan_metrics::run(&app).await,
        Job::PollPost { post_id, .. } => Box::pin(poll_post::run(&app, &lease, post_id)).await,
        Job::Prune {} => prune::run(&app).await,
        Job::RefreshDueTokens {} => refresh_due_tokens::run(&app).await,
        Job::RefreshMetrics { account_id } => {
            Box::pin(refresh_metrics::run(&app, &lease, account_id)).await
        }
        Job::RefreshToken { account_id } => refresh_token::run(&app, &lease, account_id).await,
        Job::RollUpMetrics {} => roll_up_metrics::run(&app).await,
        Job::SendMail { mail_id } => send_mail::run(&app, &lease, mail_id, last_attempt).await,
        Job::SweepTerms {} => Box::pin(sweep_terms::run(&app)).await,
        Job::SweepPosts {} => sweep_posts::run(&app).await,
        Job::UploadPost { post_id, .. } => {
            upload_post::run(&app, &lease, post_id, last_attempt).await
        }
    };
    match ended {
        Ok(()) => Ok(Outcome::Done),
        Err(Halt(ran)) => *ran,
    }
}

/// A way to end a job other than by being done, so that `?` can carry it.
#[derive(Debug)]
struct Halt(Box<Ran>);

/// What the steps of a worker return.
type Step<T = ()> = Result<T, Halt>;

impl Halt {
    fn snooze(wait: Duration) -> Self {
        Self(Box::new(Ok(Outcome::Snooze(wait))))
    }

    fn retry(error: impl Into<anyhow::Error>) -> Self {
        Self(Box::new(Err(Failure::Retry {
            error: error.into(),
            after: None,
        })))
    }

    fn hold(reason: &str, error: impl Into<anyhow::Error>) -> Self {
        Self(Box::new(Err(Failure::Hold {
            reason: reason.to_owned(),
            error: error.into(),
        })))
    }

    fn cancel(reason: &'static str) -> Self {
        Self(Box::new(Err(Failure::Cancel {
            error: anyhow::anyhow!(reason),
        })))
    }
}

impl From<domain::error::Error> for Halt {
    fn from(error: domain::error::Error) -> Self {
        // Whatever the rules refuse to a worker was changed by somebody else: look again.
        Self::retry(error)
    }
}

impl From<sea_orm::DbErr> for Halt {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::retry(error)
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::retry(error)
    }
}

impl From<Wait> for Halt {
    fn from(wait: Wait) -> Self {
        Self::snooze(spread(wait))
    }
}

impl From<NoToken> for Halt {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::Refreshing => Self::snooze(REFRESH_WAIT),
            NoToken::Reconnect => Self::hold(REAUTH_REQUIRED, error),
            NoToken::Internal(error) => Self::retry(error),
        }
    }
}

/// How long to snooze for `wait`: a little longer for some than for others where many wait for the same
/// instant, so that they do not all come back in it.
fn spread(wait: Wait) -> Duration {
    match wait.cause {
        // Places in a line are spread already.
        Cause::Budget(_) => wait.wait,
        Cause::Resting(_) | Cause::ClientRefused | Cause::Uncounted => {
            let (_, random) = Uuid::new_v4().as_u64_pair();
            let percent = u32::try_from(random % u64::from(SPREAD_PERCENT + 1)).unwrap_or(0);
            wait.wait + wait.wait * percent / 100
        }
    }
}

/// The wait for a token: that of a refresh, or longer while refreshes themselves have to wait.
async fn no_token(app: &App, account: AccountId, error: NoToken) -> Halt {
    match error {
        NoToken::Refreshing => match app.calls.trouble(Some(account), Endpoint::Token).await {
            None => Halt::from(NoToken::Refreshing),
            Some(wait) => Halt::from(wait),
        },
        other => Halt::from(other),
    }
}

/// Proves that the worker still holds its job, right before a call that changes something at TikTok.
async fn prove(lease: &Lease, app: &App) -> Step {
    lease
        .prove(&app.db)
        .await
        .map_err(|lost| Halt::retry(anyhow::Error::from(lost)))
}
