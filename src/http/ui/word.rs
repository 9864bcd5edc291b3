//! An operator's word on what became of a post.

use axum::{Extension, Form, extract::Path, response::Response};
use clipqueue_entities::{
    PostId,
    post::{self, PostMode, PostState},
};
use serde::Deserialize;

use super::{page, session::Visit};
use crate::domain::{
    error::{Code, Error, Refusal, Result},
    posts::{self, Word},
};

/// Whether somebody's word is taken on a post like this one.
pub(super) fn is_wanted(post: &post::Model) -> bool {
    match post.state {
        PostState::Unconfirmed | PostState::Lapsed => true,
        PostState::InInbox => post.mode == PostMode::Inbox,
        _ => false,
    }
}

/// The form, sent off.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    posted: String,
    share_url: String,
    reason: String,
    key: String,
}

impl Said {
    fn word(&self) -> Result<Word> {
        let url = self.share_url.trim();
        let posted = match &*self.posted {
            "yes" => true,
            "no" => false,
            _ => {
                let text = "choose whether it is on the profile";
                return Err(Refusal::new("posted", Code::Required, text).into());
            }
        };
        Ok(Word {
            posted,
            video_id: None,
            share_url: (!url.is_empty()).then(|| url.to_owned()),
        })
    }
}

/// Takes it.
pub(super) async fn settle(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Response {
    let settled = take(&visit, &id, &said).await;
    page::acted(&visit, settled, |post| format!("/posts/{}", post.id))
}

async fn take(visit: &Visit, id: &str, said: &Said) -> Result<post::Model> {
    let id: PostId = id.parse().map_err(|_| Error::NotFound)?;
    let (app, actor) = (&visit.console.app, visit.actor());
    posts::settle(app, actor, id, &said.word()?, &said.reason, &said.key).await
}
