//! TikTok says `authorization.removed`: the account goes the same way.

use clipqueue::domain::erasure;
use clipqueue_entities::account;
use sea_orm::EntityTrait as _;
use tiktok_sim::Endpoint;

use super::{CAPTION, CREATOR, counts};
use crate::support::{app::TestApp, flows::MINUTE};

crate::on_both_stacks!(a_removed_grant_is_an_erasure);

async fn a_removed_grant_is_an_erasure(mut t: TestApp) {
    t.open_door().await;
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    t.advance(MINUTE);
    let identifiers = t.known_by(t.actor.user_id, Some(own.id), &[CAPTION]).await;
    // A question that was due may find out first.
    t.sim.expect_refusal("access_token_invalid");
    t.sim.expect_refusal("invalid_grant");
    t.sim.disconnect(CREATOR, 1).unwrap();
    t.delivered(1).await;
    t.drain().await;
    let (code, _, row) = erasure::all(&t.app).await.unwrap().remove(0);
    let accepted = erasure::Accepted { erasure: row, code };
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["over_before"], 1);
    assert!(
        t.calls(Endpoint::OauthRevoke).is_empty(),
        "there is nothing to end"
    );
    t.assert_gone(&identifiers, &status).await;
    let accounts = account::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(accounts.is_empty());
}
