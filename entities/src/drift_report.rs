//! `drift_reports`: what each run of the drift auditor found and mended.

use sea_orm::entity::prelude::*;

use crate::{DriftReportId, Timestamp};

/// One run.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "drift_reports")]
pub struct Model {
    /// Primary key; its order is the order of time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DriftReportId,
    /// Kind of drift → how many were found.
    pub found: Json,
    /// Kind of drift → how many were mended.
    pub mended: Json,
    /// Posts that nothing would ever have moved again.
    pub lost: i64,
    /// Posts that appear at TikTok more than once.
    pub duplicates: i64,
    /// Posts whose state was held against TikTok's answer.
    pub sampled: i64,
    /// Sentences about single findings, a bounded number of them.
    pub remarks: Json,
    /// When.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
