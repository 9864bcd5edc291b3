//! The first rows of posts: inserted as DRAFT or, when they are sent at once, as what a submission makes
//! of a DRAFT, with the events and the proof of both, in as few statements as possible.
//!
//! One post or several hundred take the same way. Later changes are [`post_change`](super::post_change)'s.

use clipqueue_entities::{
    EvidenceId, MediaId, UserId, evidence, post, post::PostState, post_photo,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _,
};
use serde_json::json;

use super::{
    error::Result,
    events::{self, NewEvent},
    post_change::{Evidence, deadline, state_word},
    post_state::{self, Delivery, PostEvent},
};
use crate::app::App;

/// Rows of one insert: SQLite takes some 32,000 values in a statement, and a post has about forty.
const CHUNK: usize = 250;

/// A post that is to be made.
#[derive(Clone, Debug)]
pub struct Newborn {
    /// The row, as a DRAFT.
    pub post: post::Model,
    /// The files of a photo post, in order.
    pub photos: Vec<MediaId>,
    /// Whether it is sent on its way.
    pub submit: bool,
}

/// Makes posts of one tenant. Gives their rows in the same order.
pub async fn make_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    newborn: Vec<Newborn>,
    proof: &Evidence,
) -> Result<Vec<post::Model>> {
    let now = app.clock.now();
    let mut posts = Vec::with_capacity(newborn.len());
    let mut pictures = Vec::new();
    let mut proofs = Vec::new();
    let mut happened = Vec::new();
    for Newborn {
        mut post,
        photos,
        submit,
    } in newborn
    {
        let event = |kind, data, evidence_id| NewEvent {
            user_id: user,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind,
            data,
            evidence_id,
        };
        happened.push(event("post.created", json!({ "to": "draft" }), None));
        if submit {
            let submitted = PostEvent::Submitted;
            let to = post_state::next(Delivery::of(post.kind), PostState::Draft, submitted)?;
            let id = EvidenceId::new();
            proofs.push(proof.row(id, post.id, now));
            let data = json!({
                "event": format!("{submitted:?}"),
                "from": state_word(PostState::Draft),
                "to": state_word(to),
            });
            happened.push(event("post.state", data, Some(id)));
            let rules = &app.config.posts;
            post.deadline_at = deadline(rules, &post, post.publish_at, submitted, to, now);
            post.state = to;
        }
        for (media_id, position) in photos.into_iter().zip(0..) {
            pictures.push(post_photo::ActiveModel {
                post_id: Set(post.id),
                position: Set(position),
                media_id: Set(media_id),
            });
        }
        posts.push(post);
    }
    for some in posts.chunks(CHUNK) {
        let rows: Vec<post::ActiveModel> = some
            .iter()
            .map(|post| post.clone().into_active_model().reset_all())
            .collect();
        post::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    for some in pictures.chunks(CHUNK) {
        post_photo::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    for some in proofs.chunks(CHUNK) {
        evidence::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    events::append_many_in_tx(tx, now, user, happened).await?;
    Ok(posts)
}
