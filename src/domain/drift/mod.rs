//! The drift auditor: compares rows, transport and, for a few posts, TikTok; mends what is safe to
//! mend, and writes down what it found and did. In health it finds nothing.
//!
//! Every mending is one that some loop does anyway, done now and counted: pointers are made again or
//! forgotten, posts without a job get one, news of TikTok's is applied as a poll would apply it.

mod posts;
mod sample;

use std::collections::BTreeMap;

use clipqueue_entities::{DriftReportId, drift_report};
use sea_orm::{ActiveValue::Set, EntityTrait as _, QueryOrder as _, QuerySelect as _};
use serde_json::json;

use super::{error::Result, sweep};
use crate::{
    app::App,
    job::Jobs,
    queue::{Catalogue as _, Lease},
};

/// Rows whose pointer was gone from the transport.
pub const POINTER_LOST: &str = "pointer_lost";
/// Pointers that no row stands behind.
pub const POINTER_STRAY: &str = "pointer_stray";
/// Posts that should have had a job and had none.
pub const POST_ORPHANED: &str = "post_orphaned";
/// Posts of which TikTok says something else than we do.
pub const TIKTOK_STATE: &str = "tiktok_state";
/// Every kind of drift.
pub const KINDS: [&str; 4] = [POINTER_LOST, POINTER_STRAY, POST_ORPHANED, TIKTOK_STATE];

/// Remarks that one report holds at most.
const REMARKS: usize = 50;

/// What one run found so far.
#[derive(Debug, Default)]
struct Findings {
    found: BTreeMap<&'static str, u64>,
    mended: BTreeMap<&'static str, u64>,
    sampled: i64,
    remarks: Vec<String>,
}

impl Findings {
    fn found(&mut self, kind: &'static str, count: u64) {
        *self.found.entry(kind).or_default() += count;
    }

    fn mended(&mut self, kind: &'static str, count: u64) {
        self.found(kind, count);
        *self.mended.entry(kind).or_default() += count;
    }

    fn remark(&mut self, remark: String) {
        tracing::warn!(remark, "drift");
        if self.remarks.len() < REMARKS {
            self.remarks.push(remark);
        }
    }
}

/// Compares everything once; gives what is written down.
pub async fn audit(app: &App, lease: &Lease) -> Result<drift_report::Model> {
    let mut findings = Findings::default();
    pointers(app, &mut findings).await;
    let orphans = sweep::orphans(app).await?;
    findings.mended(POST_ORPHANED, orphans);
    sample::compare(app, lease, &mut findings).await?;
    let lost = posts::lost(app, &mut findings).await?;
    let duplicates = posts::duplicates(app, &mut findings).await?;
    let counts = |counts: &BTreeMap<&'static str, u64>| {
        let all = KINDS.map(|kind| (kind, counts.get(kind).copied().unwrap_or_default()));
        json!(BTreeMap::from(all))
    };
    let id = DriftReportId::new();
    drift_report::Entity::insert(drift_report::ActiveModel {
        id: Set(id),
        found: Set(counts(&findings.found)),
        mended: Set(counts(&findings.mended)),
        lost: Set(lost),
        duplicates: Set(duplicates),
        sampled: Set(findings.sampled),
        remarks: Set(json!(findings.remarks)),
        created_at: Set(app.clock.now()),
    })
    .exec_without_returning(app.db.write())
    .await?;
    let report = drift_report::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
        .ok_or(super::error::Error::NotFound)?;
    let nothing = findings.found.values().all(|count| *count == 0);
    if nothing && lost == 0 && duplicates == 0 {
        tracing::debug!("no drift");
    } else {
        tracing::warn!(
            found = %report.found, mended = %report.mended, lost, duplicates,
            "rows, transport and TikTok did not agree"
        );
    }
    Ok(report)
}

/// Rows against pointers, queue by queue. A transport that is away holds nothing to compare with.
async fn pointers(app: &App, findings: &mut Findings) {
    for spec in Jobs::new(&app.config.queue).queues() {
        match app.queue.compare_pointers(spec).await {
            Ok(drift) => {
                findings.mended(POINTER_LOST, drift.lost);
                findings.mended(POINTER_STRAY, drift.stray);
                if drift.lost + drift.stray > 0 {
                    findings.remark(format!(
                        "queue {}: {} pointers were gone and are made again, {} had no row and are forgotten",
                        spec.name, drift.lost, drift.stray
                    ));
                }
            }
            Err(error) => {
                findings.remark(format!("queue {}: not compared: {error}", spec.name));
            }
        }
    }
}

/// The newest reports, newest first.
pub async fn reports(app: &App, limit: u64) -> Result<Vec<drift_report::Model>> {
    Ok(drift_report::Entity::find()
        .order_by_desc(drift_report::Column::Id)
        .limit(limit)
        .all(app.db.read())
        .await?)
}
