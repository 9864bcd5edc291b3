//! Log files of `log.directory`, day by day. Each machine has its own; the job sees those of its machine.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use chrono::{Days, NaiveTime};
use clipqueue_entities::Timestamp;

use super::Count;
use crate::{app::App, domain::error::Result, telemetry};

/// The files whose last line is older than `before`, each with the beginning of its day.
fn old(app: &App, before: Timestamp) -> Result<Vec<(PathBuf, Timestamp)>> {
    let Some(directory) = &app.config.log.directory else {
        return Ok(Vec::new());
    };
    let files = telemetry::files(directory).context("listing log.directory")?;
    let midnight = |day: chrono::NaiveDate| {
        let at = day.and_time(NaiveTime::MIN).and_utc();
        Timestamp::from_millis(at.timestamp_millis())
    };
    let old = files.into_iter().filter_map(|file| {
        let end = file.day.checked_add_days(Days::new(1))?;
        (midnight(end) <= before).then(|| (file.path, midnight(file.day)))
    });
    Ok(old.collect())
}

/// What would go.
pub(super) fn count(app: &App, before: Timestamp) -> Result<Count> {
    let old = old(app, before)?;
    Ok(Count {
        count: old.len() as u64,
        oldest: old.iter().map(|(_, day)| *day).min(),
    })
}

/// Deletes them. Gives how many.
pub(super) fn prune(app: &App, before: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for (path, _) in old(app, before)? {
        match fs::remove_file(&path) {
            Ok(()) => removed += 1,
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("deleting the log {}", path.display());
                return Err(anyhow::Error::from(error).context(what).into());
            }
        }
    }
    Ok(removed)
}
