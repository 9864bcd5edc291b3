//! `FollowEvents`: makes deliveries of a user's new events.

use clipqueue_entities::UserId;

use super::Step;
use crate::{app::App, domain::webhooks::follow};

pub(super) async fn run(app: &App, user: UserId) -> Step {
    follow::follow(app, user).await?;
    Ok(())
}
