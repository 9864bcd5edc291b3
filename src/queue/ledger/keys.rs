//! Live jobs by their unique keys.

use std::collections::HashMap;

use clipqueue_entities::{JobId, job};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};

/// The live jobs that bear one of `keys`. A job that is over bears none.
pub async fn live(
    connection: &impl ConnectionTrait,
    keys: &[String],
) -> Result<HashMap<String, JobId>, DbErr> {
    let rows: Vec<(Option<String>, JobId)> = job::Entity::find()
        .select_only()
        .column(job::Column::UniqueKey)
        .column(job::Column::Id)
        .filter(job::Column::UniqueKey.is_in(keys))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(key, id)| key.map(|key| (key, id)))
        .collect())
}
