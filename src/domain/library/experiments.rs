//! The labels of experiments that posts have, with their variants.

use std::collections::BTreeMap;

use clipqueue_entities::{UserId, post};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};

use crate::{app::App, domain::error::Result};

/// Pairs of a label and a variant that one list shows.
const MAX_PAIRS: u64 = 1000;

/// A label, and how many posts each of its variants has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The label.
    pub label: String,
    /// Variant → posts; no variant comes first.
    pub variants: Vec<(Option<String>, u64)>,
}

/// The labels that posts of `user` have, by name.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Label>> {
    let rows: Vec<(Option<String>, Option<String>, i64)> = post::Entity::find()
        .select_only()
        .column(post::Column::ExperimentLabel)
        .column(post::Column::ExperimentVariant)
        .expr_as(Expr::col(post::Column::Id).count(), "posts")
        .filter(post::Column::UserId.eq(user))
        .filter(post::Column::ExperimentLabel.is_not_null())
        .group_by(post::Column::ExperimentLabel)
        .group_by(post::Column::ExperimentVariant)
        .order_by_asc(post::Column::ExperimentLabel)
        .limit(MAX_PAIRS)
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut labels: BTreeMap<String, Vec<(Option<String>, u64)>> = BTreeMap::new();
    for (label, variant, posts) in rows {
        let variants = labels.entry(label.unwrap_or_default()).or_default();
        variants.push((variant, posts.unsigned_abs()));
    }
    Ok(labels
        .into_iter()
        .map(|(label, mut variants)| {
            variants.sort_unstable();
            Label { label, variants }
        })
        .collect())
}
