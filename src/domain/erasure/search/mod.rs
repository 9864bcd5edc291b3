//! Searching everything that is stored for somebody's identifiers: every column of every table that the
//! database's own catalogue names, every key and value of the transport, every object's name and every
//! document beside the media, every letter of a file outbox, the log files of `log.directory` and those
//! that it is given. It is the judge of an erasure, so it takes no word of the code that deletes: it
//! knows no table by name.

mod database;
mod files;
mod needle;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use uuid::Uuid;

pub use files::log;
pub use needle::Needle;

use crate::{app::App, domain::error::Result};

/// Where files and archives lie in the storage; their bytes are the creator's and are found by their names.
const FILES: [&str; 2] = ["media/", "exports/"];

/// One identifier in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: `database:table.column`, `transport:key`, `object:name`, `mail:file` or `log:file`.
    pub place: String,
    /// What.
    pub identifier: String,
    /// How often.
    pub count: u64,
}

/// What a search has found so far, and how much it looked at.
#[derive(Debug, Default)]
pub struct Found {
    hits: BTreeMap<(String, String), u64>,
    /// Values that were looked at.
    pub looked_at: u64,
}

impl Found {
    fn look(&mut self, needle: &Needle, place: &str, value: &[u8]) {
        self.looked_at += 1;
        for identifier in needle.in_bytes(value) {
            let hit = (place.to_owned(), identifier.to_owned());
            *self.hits.entry(hit).or_default() += 1;
        }
    }

    /// What was found, by place.
    pub fn findings(&self) -> Vec<Finding> {
        self.hits
            .iter()
            .map(|((place, identifier), count)| Finding {
                place: place.clone(),
                identifier: identifier.clone(),
                count: *count,
            })
            .collect()
    }
}

/// Searches everything that this installation stores.
pub async fn everywhere(app: &App, needle: &Needle) -> Result<Found> {
    let mut found = Found::default();
    database::search(app, needle, &mut found).await?;
    transport(app, needle, &mut found).await?;
    objects(app, needle, &mut found).await?;
    files::letters(app, needle, &mut found).await?;
    files::logs(app, needle, &mut found)?;
    Ok(found)
}

async fn transport(app: &App, needle: &Needle, found: &mut Found) -> Result<()> {
    let seen = Mutex::new(std::mem::take(found));
    let see = |key: &str, value: &[u8]| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look(needle, &format!("transport:{key}"), value);
    };
    let surveyed = app.queue.transport().survey(&see).await;
    *found = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    surveyed.map_err(anyhow::Error::from)?;
    Ok(())
}

async fn objects(app: &App, needle: &Needle, found: &mut Found) -> Result<()> {
    let storage = app.media.storage();
    let mut kinds = Vec::new();
    for name in storage.names().await.map_err(anyhow::Error::from)? {
        found.look(needle, &format!("object:{name}"), name.as_bytes());
        if let Some((kind, _)) = name.split_once('/')
            && !FILES.iter().any(|files| name.starts_with(files))
            && !kinds.iter().any(|known| known == kind)
        {
            kinds.push(kind.to_owned());
        }
    }
    for kind in kinds {
        let kept = storage.all_kept(&kind).await.map_err(anyhow::Error::from)?;
        for text in kept {
            found.look(needle, &format!("object:{kind}/"), text.as_bytes());
        }
    }
    Ok(())
}

/// Splits findings into those that a receipt names and those that nothing excuses. Without a receipt
/// nothing is excused.
pub fn judge(findings: Vec<Finding>, receipt: Option<&Value>) -> (Vec<Finding>, Vec<Finding>) {
    let places: Vec<&str> = receipt
        .and_then(|receipt| receipt["stays"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|stays| stays["places"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let handed = receipt
        .map(|receipt| receipt["handed_to_tiktok_before"].to_string())
        .unwrap_or_default();
    findings.into_iter().partition(|finding| {
        let is_named = places.iter().any(|place| finding.place.starts_with(place));
        // A log may hold our own ids, the last letter the address that it goes to, and a receipt what
        // TikTok was handed, and its own code. Nothing else is excused in any.
        let may_be_there = if finding.place.starts_with("log:") {
            Uuid::try_parse(&finding.identifier).is_ok()
        } else if finding.place.starts_with("mail:") {
            crate::mail::is_address(&finding.identifier)
        } else {
            handed.contains(&finding.identifier)
        };
        is_named && may_be_there
    })
}
