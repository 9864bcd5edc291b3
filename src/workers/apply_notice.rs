//! `ApplyNotice`: sees to it that what TikTok told by a webhook becomes known of its post or account.
//! It calls nobody; TikTok is asked by `PollPost`.

use clipqueue_entities::NoticeId;

use super::{Halt, Step};
use crate::{
    app::App,
    domain::notices::{self, Next},
    queue::Lease,
};

pub(super) async fn run(app: &App, lease: &Lease, id: NoticeId) -> Step {
    match notices::follow(app, lease, id).await? {
        Next::Done => Ok(()),
        Next::Again(wait) => Err(Halt::snooze(wait)),
    }
}
