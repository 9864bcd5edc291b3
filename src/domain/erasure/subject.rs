//! By what somebody can be known here: the ids and names that a search looks for. Texts that many people
//! may share, such as captions and names of files, are given to a search by hand.

use std::collections::BTreeSet;

use clipqueue_entities::{
    AccountId, MediaId, UserId, account, api_key, data_export, media, media_import, notice, post,
    post_attempt, post_photo, post_video, saved_text, subscription, tracked_video, user,
    user_session, verified_source, webhook_endpoint,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
    sea_query::SelectStatement,
};
use uuid::Uuid;

use super::handed;
use crate::{app::App, domain::error::Result};

/// The identifiers of a user, or of one account of theirs.
pub async fn identifiers(
    app: &App,
    user: UserId,
    account: Option<AccountId>,
) -> Result<Vec<String>> {
    let db = app.db.read();
    let mut found = Vec::new();
    let mut accounts = account::Entity::find().filter(account::Column::UserId.eq(user));
    if let Some(id) = account {
        accounts = accounts.filter(account::Column::Id.eq(id));
    } else {
        found.push(user.to_string());
        let row = user::Entity::find_by_id(user).one(db).await?;
        found.extend(row.map(|row| row.name));
        for key in api_key::Entity::find()
            .filter(api_key::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(key.id.to_string());
        }
        for export in data_export::Entity::find()
            .filter(data_export::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(export.id.to_string());
        }
        for session in user_session::Entity::find()
            .filter(user_session::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(session.id.to_string());
        }
        for text in saved_text::Entity::find()
            .filter(saved_text::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(text.id.to_string());
        }
        for endpoint in webhook_endpoint::Entity::find()
            .filter(webhook_endpoint::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(endpoint.id.to_string());
            found.push(endpoint.url);
        }
        for row in subscription::Entity::find()
            .filter(subscription::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(row.id.to_string());
            found.push(row.paypal_id);
        }
        for import in media_import::Entity::find()
            .filter(media_import::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(import.id.to_string());
            found.push(import.shown_url);
        }
        for source in verified_source::Entity::find()
            .filter(verified_source::Column::UserId.eq(user))
            .all(db)
            .await?
        {
            found.push(source.id.to_string());
            found.push(source.token);
        }
        for id in app.media.all_of(user).await.map_err(anyhow::Error::from)? {
            found.push(id.to_string());
        }
    }
    let mut ids = Vec::new();
    for row in accounts.all(db).await? {
        ids.push(row.id);
        found.push(row.id.to_string());
        found.push(row.open_id);
        found.extend(row.union_id);
        found.extend(row.username);
        found.extend(row.display_name);
        found.extend(row.avatar_url);
    }
    let posts = posts(&ids);
    let (mut files, mut batches) = (BTreeSet::<MediaId>::new(), BTreeSet::<Uuid>::new());
    for row in post::Entity::find()
        .filter(post::Column::Id.in_subquery(posts.clone()))
        .all(db)
        .await?
    {
        found.push(row.id.to_string());
        found.extend(row.share_url);
        batches.extend(row.batch_id);
        if account.is_some() {
            files.insert(row.media_id);
        }
    }
    for batch in batches {
        if is_of_one_account(app, batch, &ids).await? {
            found.push(batch.to_string());
        }
    }
    if account.is_some() {
        for photo in post_photo::Entity::find()
            .filter(post_photo::Column::PostId.in_subquery(posts.clone()))
            .all(db)
            .await?
        {
            files.insert(photo.media_id);
        }
    }
    for id in files {
        let is_here = media::Entity::find_by_id(id).one(db).await?.is_some();
        if is_here && !handed::is_needed_elsewhere(app, id, account).await? {
            found.push(id.to_string());
        }
    }
    for row in post_attempt::Entity::find()
        .filter(post_attempt::Column::PostId.in_subquery(posts.clone()))
        .all(db)
        .await?
    {
        found.push(row.id.to_string());
        found.extend(row.publish_id);
    }
    for row in post_video::Entity::find()
        .filter(post_video::Column::PostId.in_subquery(posts))
        .all(db)
        .await?
    {
        found.push(row.video_id);
        found.extend(row.share_url);
    }
    for row in tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.is_in(ids.iter().copied()))
        .all(db)
        .await?
    {
        found.push(row.id.to_string());
        found.push(row.video_id);
        found.extend(row.share_url);
    }
    for row in notice::Entity::find()
        .filter(notice::Column::AccountId.is_in(ids))
        .all(db)
        .await?
    {
        found.push(row.id.to_string());
    }
    found.retain(|text| !text.is_empty());
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn posts(accounts: &[AccountId]) -> SelectStatement {
    post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(post::Column::AccountId.is_in(accounts.iter().copied()))
        .into_query()
}

/// Whether no other account has a post of the batch. Of a user with everything every batch is theirs.
async fn is_of_one_account(app: &App, batch: Uuid, accounts: &[AccountId]) -> Result<bool> {
    let elsewhere = post::Entity::find()
        .filter(post::Column::BatchId.eq(batch))
        .filter(post::Column::AccountId.is_not_in(accounts.iter().copied()))
        .one(app.db.read())
        .await?;
    Ok(elsewhere.is_none())
}
