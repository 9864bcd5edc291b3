//! Stopping photos that TikTok is still fetching: asked of TikTok once, carried out by TikTok or not.
//!
//! Only TikTok's status afterwards says whether it stopped; this step moves no state.

use clipqueue_entities::{
    post::{self, PostKind, PostState},
    post_attempt,
};
use tiktok::{AccessToken, Class, Endpoint, PublishId};

use super::{Halt, Step, prove};
use crate::{
    app::App,
    domain::{attempts, post_change::Evidence},
    queue::Lease,
};

/// Asks TikTok to stop, when the owner wants it and TikTok was not asked before.
pub(super) async fn run(
    app: &App,
    lease: &Lease,
    post: &post::Model,
    attempt: &post_attempt::Model,
    token: &AccessToken,
    publish_id: &PublishId,
) -> Step {
    let wanted = post.cancel_requested
        && post.kind == PostKind::Photo
        && post.state == PostState::Processing;
    if !wanted || attempts::stop_was_asked(app.db.read(), attempt.id).await? {
        return Ok(());
    }
    let endpoint = Endpoint::Cancel;
    let mut permit = app.calls.ask(Some(post.account_id), &[endpoint]).await?;
    prove(lease, app).await?;
    let call = attempts::STOP_CALL;
    let answered = app.tiktok.cancel(token, publish_id).await;
    app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => {
            let evidence = Evidence::answer(call, &answer, serde_json::json!({}));
            attempts::stop_asked(app, lease, post, attempt, evidence, true).await?;
            Ok(())
        }
        Err(error) => match error.class() {
            // Asking again cannot hurt, and the next look does.
            Class::Transient | Class::Ambiguous | Class::RateLimited | Class::TokenRejected => {
                tracing::info!(post.id = %post.id, %error, "TikTok did not take a stop");
                Ok(())
            }
            Class::OurFault => Err(Halt::retry(error)),
            _ => {
                let evidence = Evidence::error(call, &error);
                attempts::stop_asked(app, lease, post, attempt, evidence, false).await?;
                Ok(())
            }
        },
    }
}
