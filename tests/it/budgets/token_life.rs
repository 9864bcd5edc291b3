//! Nothing is begun with a token that may end in the middle of it.

use std::time::Duration;

use clipqueue::domain::token_life;
use clipqueue_entities::{MediaId, account_token::TokenState, media, post::PostState};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{app::TestApp, flows::HOUR};

crate::on_both_stacks!(
    a_large_file_gets_a_token_that_lasts,
    a_token_that_is_too_short_for_one_serves_the_others,
    short_lives_do_not_make_refreshes_spin,
);

/// Makes a clip look as large as `size`, as far as planning goes.
async fn pretend_size(t: &TestApp, id: MediaId, size: i64) {
    media::Entity::update_many()
        .col_expr(media::Column::Size, Expr::value(size))
        .filter(media::Column::Id.eq(id))
        .exec(t.app.db.write())
        .await
        .unwrap();
}

async fn a_large_file_gets_a_token_that_lasts(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let size = 3_000_000_000;
    let needed = token_life::needed_for(size);
    // Enough life for a small file and no refresh due by itself, but not for this one.
    t.advance(HOUR * 2 - needed + Duration::from_secs(30));
    let post = t.post(TestApp::direct(account, media)).await;
    pretend_size(&t, media, i64::try_from(size).unwrap()).await;
    refuse_the_file(&t);
    t.run_until(post.id, PostState::Failed).await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    let inits = t.calls(Endpoint::VideoInit);
    assert_eq!(inits.len(), 1);
    let expires = t.tokens(account).await.access_expires_at;
    let left = expires.as_millis() - inits[0].at_ms;
    assert!(left > i64::try_from(needed.as_millis()).unwrap(), "{left}");
    assert_eq!(
        t.upload_job(post.id).await.attempt,
        1,
        "a refresh costs none"
    );
}

async fn a_token_that_is_too_short_for_one_serves_the_others(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let small = t.upload().await;
    let busy = t.fault_always(Endpoint::OauthRefresh, FaultKind::RateLimit);
    // Half an hour is left: plenty for most, and no refresh is due by itself.
    t.advance(HOUR + HOUR / 2);
    let large = t.post(TestApp::captioned(account, media, "large")).await;
    pretend_size(&t, media, 3_000_000_000).await;
    t.drain().await;
    assert!(!t.calls(Endpoint::OauthRefresh).is_empty());
    assert_eq!(t.tokens(account).await.state, TokenState::Fresh);
    let other = t.post(TestApp::captioned(account, small, "small")).await;
    t.run_until(other.id, PostState::Published).await;
    assert_eq!(t.reload(large.id).await.state, PostState::Preflight);
    assert_eq!(t.upload_job(large.id).await.attempt, 0);

    t.sim.clear_faults(Some(busy));
    refuse_the_file(&t);
    t.run_until(large.id, PostState::Failed).await;
    assert_eq!(t.tokens(account).await.generation, 2);
}

/// Init is where the way of a pretended file ends: its bytes do not exist.
fn refuse_the_file(t: &TestApp) {
    let refusal = FaultKind::ApiCode {
        code: "invalid_file_upload".to_owned(),
        status: 400,
    };
    t.fault_always(Endpoint::VideoInit, refusal);
}

async fn short_lives_do_not_make_refreshes_spin(mut t: TestApp) {
    t.sim.configure(|config| config.tokens.access_seconds = 240);
    let (account, media) = t.ready().await;
    t.advance(Duration::from_secs(120));
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    let refreshes = t.calls(Endpoint::OauthRefresh).len();
    assert!(refreshes <= 3, "{refreshes} refreshes for one post");
}
