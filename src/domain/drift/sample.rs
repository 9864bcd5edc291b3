//! A few posts against TikTok's own word, one an account, each within the budget of its account. A
//! question that cannot be had now is not asked.

use std::{collections::HashSet, time::Duration};

use clipqueue_entities::post::{self, PostState};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Func, SimpleExpr},
};
use tiktok::{Endpoint, PublishId, PublishState};

use super::{Findings, TIKTOK_STATE};
use crate::{
    app::App,
    domain::{
        accounts, attempts,
        error::{Error, Result},
        reconcile, tokens,
    },
    queue::Lease,
};

/// A post that moved less than this ago is being asked about anyway.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// TikTok does not promise to remember a publish for longer.
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// States in which TikTok is asked no more: whatever it says now, nobody would hear of it otherwise.
const ENDED: [PostState; 4] = [
    PostState::InInbox,
    PostState::Published,
    PostState::Failed,
    PostState::Cancelled,
];
/// Posts that are read for each one that is asked about: some belong to the same account.
const SPARE: u64 = 4;

/// Compares as many posts as the configuration says.
pub(super) async fn compare(app: &App, lease: &Lease, findings: &mut Findings) -> Result<()> {
    let wanted = app.config.operations.drift_sample;
    let now = app.clock.now();
    let posts = post::Entity::find()
        .filter(post::Column::State.is_in(ENDED))
        .filter(post::Column::StateSince.between(now - REMEMBERED, now - QUIET))
        .order_by_asc(SimpleExpr::from(Func::random()))
        .limit(wanted * SPARE)
        .all(app.db.read())
        .await?;
    let mut asked = HashSet::new();
    for post in posts {
        if asked.len() as u64 >= wanted {
            break;
        }
        if asked.contains(&post.account_id) {
            continue;
        }
        let account = post.account_id;
        if ask(app, lease, post, findings).await? {
            asked.insert(account);
        }
    }
    Ok(())
}

/// Asks about one post; whether TikTok was asked.
async fn ask(app: &App, lease: &Lease, post: post::Model, findings: &mut Findings) -> Result<bool> {
    let Some(attempt) = attempts::newest_published(app.db.read(), post.id).await? else {
        return Ok(false);
    };
    let Ok(publish_id) = PublishId::parse(attempt.publish_id.clone().unwrap_or_default()) else {
        return Ok(false);
    };
    let account = accounts::for_worker(app, post.account_id).await?;
    let Ok(usable) = tokens::usable(app, &account, Duration::ZERO).await else {
        return Ok(false);
    };
    let endpoint = Endpoint::StatusFetch;
    let Ok(mut permit) = app.calls.ask(Some(account.id), &[endpoint]).await else {
        return Ok(false);
    };
    let answered = app.tiktok.publish_status(&usable.token, &publish_id).await;
    app.calls.heard(&mut permit, endpoint, &answered).await;
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(post.id = %post.id, %error, "a sampled post was not answered for");
            return Ok(true);
        }
    };
    findings.sampled += 1;
    let state = &answer.value.state;
    if agrees(post.state, state) {
        return Ok(true);
    }
    let (id, before) = (post.id, post.state);
    let log_id = answer.logs.any().map(ToString::to_string);
    let told = format!(
        "post {id} is {before:?} here and {state:?} at TikTok (log id {})",
        log_id.as_deref().unwrap_or("none")
    );
    match Box::pin(reconcile::apply_status(app, lease, post, &attempt, &answer)).await {
        Ok(after) if after.state != before => {
            findings.mended(TIKTOK_STATE, 1);
            findings.remark(format!("{told}; TikTok's word was taken"));
        }
        Ok(_) | Err(Error::Refused(_)) => {
            findings.found(TIKTOK_STATE, 1);
            findings.remark(told);
        }
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// Whether TikTok's word fits the state of a post that nobody asks about any more. A word that is not
/// known contradicts nothing.
fn agrees(ours: PostState, theirs: &PublishState) -> bool {
    match theirs {
        PublishState::PublishComplete => ours == PostState::Published,
        PublishState::SendToUserInbox => ours == PostState::InInbox,
        PublishState::Failed => [PostState::Failed, PostState::Cancelled].contains(&ours),
        // Status lags behind what a webhook has told.
        PublishState::ProcessingUpload
        | PublishState::ProcessingDownload
        | PublishState::Unknown(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_that_excludes_our_state_is_drift() {
        assert!(agrees(PostState::Published, &PublishState::PublishComplete));
        assert!(agrees(PostState::InInbox, &PublishState::SendToUserInbox));
        assert!(agrees(
            PostState::Published,
            &PublishState::ProcessingUpload
        ));
        assert!(!agrees(PostState::Published, &PublishState::Failed));
        assert!(agrees(PostState::Failed, &PublishState::Failed));
        assert!(agrees(PostState::Cancelled, &PublishState::Failed));
        assert!(!agrees(PostState::Failed, &PublishState::PublishComplete));
        assert!(!agrees(
            PostState::Cancelled,
            &PublishState::SendToUserInbox
        ));
        assert!(!agrees(PostState::InInbox, &PublishState::PublishComplete));
        assert!(!agrees(
            PostState::Published,
            &PublishState::SendToUserInbox
        ));
    }
}
