//! An init of photos whose answer was lost, and what our own record says about it.
//!
//! Somebody who came for a photo proves that TikTok accepted; the post stays in doubt until TikTok or
//! a person says how it ended. Nobody having come proves something only once nobody can come any more.
//! TikTok's documents do not say how soon a pull begins, only that it ends within an hour, so the end
//! of our addresses is waited for, and nothing is taken from the silence before.

use std::time::Duration;

use clipqueue_entities::{
    post::{self, PostState},
    post_attempt,
};
use sea_orm::{EntityTrait as _, QuerySelect as _};

use super::of_attempt;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        attempts,
        error::Result,
        post_change::{Change, Evidence, Failure, apply_in_tx},
        post_state::PostEvent,
    },
    queue::Lease,
};

/// How far behind the clock of another process may be that still hands out photos.
const CLOCKS_APART: Duration = Duration::from_secs(10 * 60);

/// Ends the doubt about an attempt without a publish id, if our record allows it.
pub async fn settle(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
) -> Result<post::Model> {
    let over = attempt
        .pull_ends_at
        .is_some_and(|end| end + CLOCKS_APART <= app.clock.now());
    if post.state != PostState::Unconfirmed || !over {
        return Ok(post);
    }
    let tx = attempts::fenced(app, lease).await?;
    // Whoever comes for a photo takes this lock first.
    post_attempt::Entity::find_by_id(attempt.id)
        .lock_exclusive()
        .one(&tx)
        .await?;
    let photos = of_attempt(&tx, attempt.id).await?;
    if photos.iter().any(|photo| photo.first_asked_at.is_some()) {
        tx.rollback().await?;
        return Ok(post);
    }
    let evidence = Evidence::own("photos.never_fetched")
        .of(attempt.id)
        .with("photos", photos.len())
        .with(
            "addresses_ended_at",
            attempt.pull_ends_at.map(|at| at.to_string()),
        );
    let change = Change::new(PostEvent::NeverFetched, evidence).failure(Failure {
        class: "tiktok",
        code: "never_fetched".to_owned(),
        message: "TikTok's answer was lost and it never came for the photos, whose addresses have ended, so nothing was posted. Retry the post."
            .to_owned(),
        retryable: true,
    });
    attempts::close_in_tx(app, &tx, &post, "never_fetched", None).await?;
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::NeverFetched).await?;
    app.announce(post.user_id).await;
    Ok(post)
}
