//! Gauges that are sampled when somebody asks for the metrics.

use clipqueue_entities::post::{self, PostState};
use sea_orm::{EntityTrait as _, QuerySelect as _};

use crate::{app::App, domain::post_change::state_word};

/// Samples posts by state and queues by depth.
pub async fn sample(app: &App) -> anyhow::Result<()> {
    let rows: Vec<(PostState, i64)> = post::Entity::find()
        .select_only()
        .column(post::Column::State)
        .column_as(
            sea_orm::sea_query::ExprTrait::count(sea_orm::sea_query::Expr::col(post::Column::Id)),
            "n",
        )
        .group_by(post::Column::State)
        .into_tuple()
        .all(app.db.read())
        .await?;
    for (state, count) in rows {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("clipqueue_posts", "state" => state_word(state)).set(f64::from(count));
    }
    Ok(())
}
