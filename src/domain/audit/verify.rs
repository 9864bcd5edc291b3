//! Verifying the chain, from the database or from an export, and exporting it.
//!
//! An edited, deleted, doubled or reordered entry breaks the chain. A tail that was cut off does not,
//! when the head was set back with it: for that one compares with a head that was exported before. An
//! entry of which names were taken out must be named by a later entry of the kind [`CLEARED`].

use std::{collections::BTreeSet, io::Write};

use clipqueue_entities::audit_entry;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::chain::{self, Head, NOBODY, Record};
use crate::{
    app::App,
    domain::error::{Error, Result},
};

/// The installation's own act of taking names out of entries.
pub const CLEARED: &str = "audit.clear";
/// Entries that are read at once.
const PAGE: u64 = 500;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place in the chain.
    pub seq: i64,
    /// What is wrong there.
    pub what: String,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries that were looked at.
    pub entries: u64,
    /// Parts of entries of which names were taken out.
    pub cleared: u64,
    /// Where the chain begins: behind what was deleted by age.
    pub floor: Head,
    /// Where it ends.
    pub head: Head,
    /// Whether the head that was given lies within what is kept; nothing, when none was given.
    pub compared: Option<bool>,
    /// What is wrong; empty when everything is as it was written.
    pub problems: Vec<Problem>,
}

/// Looks at entries in their order.
#[derive(Debug)]
pub struct Checker {
    floor: Head,
    last: Head,
    known: Option<Head>,
    entries: u64,
    cleared: u64,
    unnamed_by: BTreeSet<i64>,
    unnamed_on: BTreeSet<i64>,
    problems: Vec<Problem>,
}

impl Checker {
    /// Of a chain that stands on `floor`, against a head that was exported before.
    pub fn new(floor: Head, known: Option<Head>) -> Self {
        let mut checker = Self {
            last: floor.clone(),
            floor,
            known,
            entries: 0,
            cleared: 0,
            unnamed_by: BTreeSet::new(),
            unnamed_on: BTreeSet::new(),
            problems: Vec::new(),
        };
        checker.compare();
        checker
    }

    fn problem(&mut self, seq: i64, what: impl Into<String>) {
        let what = what.into();
        self.problems.push(Problem { seq, what });
    }

    fn compare(&mut self) {
        if let Some(known) = &self.known
            && known.seq == self.last.seq
            && known.hash != self.last.hash
        {
            self.problem(self.last.seq, "is not what the exported head says");
        }
    }

    /// Looks at the next entry.
    pub fn see(&mut self, record: &Record) {
        self.entries += 1;
        let expected = self.last.seq + 1;
        if record.seq < expected {
            self.problem(record.seq, "is there twice, or out of order");
            return;
        }
        if record.seq > expected {
            let missing = record.seq - expected;
            self.problem(expected, format!("{missing} entries are missing from here"));
        } else if record.hash_behind(&self.last.hash) != record.hash {
            self.problem(record.seq, "was changed, or stood elsewhere");
        }
        let by = (&record.by, &record.by_salt, &record.by_commitment);
        if self.is_cleared(record.seq, by, &chain::by(None, None)) {
            self.unnamed_by.insert(record.seq);
        }
        let on = (&record.on, &record.on_salt, &record.on_commitment);
        if self.is_cleared(record.seq, on, &chain::on(NOBODY, &json!({}))) {
            self.unnamed_on.insert(record.seq);
        }
        if record.action == CLEARED && record.on_salt.is_some() {
            let details = &record.on["details"];
            for (name, unnamed) in [("by", &mut self.unnamed_by), ("on", &mut self.unnamed_on)] {
                for seq in details[name].as_array().into_iter().flatten() {
                    seq.as_i64().map(|seq| unnamed.remove(&seq));
                }
            }
        }
        self.last = Head {
            seq: record.seq,
            hash: record.hash.clone(),
        };
        self.compare();
    }

    /// Whether names were taken out of a part; a part that is there must be what it commits to.
    fn is_cleared(
        &mut self,
        seq: i64,
        (part, salt, committed): (&Value, &Option<String>, &String),
        empty: &Value,
    ) -> bool {
        match salt {
            Some(salt) if chain::commitment(salt, part) == *committed => false,
            None if part == empty => {
                self.cleared += 1;
                true
            }
            Some(_) | None => {
                self.problem(seq, "names something else than was written");
                false
            }
        }
    }

    /// Compares the end with the head that is on record.
    pub fn end(mut self, head: Head) -> Verified {
        if head.seq > self.last.seq {
            let missing = head.seq - self.last.seq;
            self.problem(
                head.seq,
                format!("{missing} entries are missing at the end"),
            );
        } else if head != self.last {
            self.problem(self.last.seq, "is not where the chain ends on record");
        }
        if let Some(known) = self.known.clone()
            && known.seq > self.last.seq
        {
            self.problem(known.seq, "was exported, and is there no more");
        }
        for seq in std::mem::take(&mut self.unnamed_by).union(&std::mem::take(&mut self.unnamed_on))
        {
            self.problem(*seq, "was emptied, and no later entry says so");
        }
        Verified {
            entries: self.entries,
            cleared: self.cleared,
            compared: self.known.map(|known| known.seq >= self.floor.seq),
            floor: self.floor,
            head: self.last,
            problems: self.problems,
        }
    }
}

/// Verifies the chain in the database.
pub async fn verify(app: &App, known: Option<Head>) -> Result<Verified> {
    chain::adopt(app).await?;
    let mut checker = None;
    let head = walk(app, |floor, record| {
        let checker = checker.get_or_insert_with(|| Checker::new(floor.clone(), known.clone()));
        if let Some(record) = record {
            checker.see(record);
        }
        Ok(())
    })
    .await?;
    let checker = checker
        .ok_or_else(|| Error::Internal(anyhow::anyhow!("the audit log has no beginning")))?;
    Ok(checker.end(head))
}

/// Writes the chain as JSON lines: where it begins, the entries, where it ends. Gives the end.
pub async fn export(app: &App, out: &mut (impl Write + Send)) -> Result<Head> {
    chain::adopt(app).await?;
    let now = app.clock.now();
    let mut line = |value: Value| writeln!(out, "{value}").map_err(anyhow::Error::from);
    let head = walk(app, |floor, record| {
        match record {
            None => line(json!({ "floor": floor }))?,
            Some(record) => line(serde_json::to_value(record).map_err(anyhow::Error::from)?)?,
        }
        Ok(())
    })
    .await?;
    line(json!({ "head": head, "exported_at": now }))?;
    Ok(head)
}

/// Verifies what [`export`] wrote, line by line.
pub fn verify_export(
    lines: impl Iterator<Item = std::io::Result<String>>,
    known: Option<Head>,
) -> anyhow::Result<Verified> {
    let mut checker: Option<Checker> = None;
    for line in lines {
        let mut value: Value = serde_json::from_str(&line?)?;
        if value.get("floor").is_some() && checker.is_none() {
            let floor = serde_json::from_value(value["floor"].take())?;
            checker = Some(Checker::new(floor, known.clone()));
            continue;
        }
        let checking = checker
            .as_mut()
            .ok_or_else(|| anyhow::anyhow!("the first line does not say where the chain begins"))?;
        if value.get("head").is_some() {
            let head = serde_json::from_value(value["head"].take())?;
            return checker
                .map(|checker| checker.end(head))
                .ok_or_else(|| anyhow::anyhow!("the export is empty"));
        }
        checking.see(&serde_json::from_value(value)?);
    }
    anyhow::bail!("the last line does not say where the chain ends: the export was cut")
}

/// Shows the floor, then every entry in its order, all as of one instant. Gives the head on record.
async fn walk(
    app: &App,
    mut see: impl FnMut(&Head, Option<&Record>) -> Result<()>,
) -> Result<Head> {
    let tx = app.db.snapshot().await?;
    let (floor, head) = chain::ends(&tx).await?;
    see(&floor, None)?;
    let mut cursor = i64::MIN;
    loop {
        let page = audit_entry::Entity::find()
            .filter(audit_entry::Column::Seq.gt(cursor))
            .order_by_asc(audit_entry::Column::Seq)
            .limit(PAGE)
            .all(&tx)
            .await?;
        let Some(last) = page.last().and_then(|row| row.seq) else {
            break;
        };
        cursor = last;
        for row in &page {
            match Record::of(row) {
                Some(record) => see(&floor, Some(&record))?,
                None => {
                    return Err(anyhow::anyhow!("entry {} has no hash", row.id).into());
                }
            }
        }
    }
    tx.rollback().await?;
    Ok(head)
}
