//! Group commit of enqueues that stand alone.
//!
//! A caller who has a transaction of its own enqueues in it. One who has none hands its job over
//! here: whatever came while the last group was written goes into the next one, as one statement,
//! and every caller is answered after the commit of its group. Nothing waits to make a group larger.
//!
//! A single job that is due may start while the disk is still waited for.

use std::time::Duration;

use clipqueue_entities::Timestamp;
use sea_orm::DbErr;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    core::Core,
    enqueue::{CHUNK, Enqueued, Row, insert_group, sort_out_group},
    settle,
    work::NewJob,
};
use crate::db::Writer;

/// Callers that may wait for their group before others have to wait for a place.
const BACKLOG: usize = 2000;

/// After so long without a job the next one is shown to others before the disk has it: that is one call more, which
/// a caller in a hurry would pay for and not gain from.
const QUIET: Duration = Duration::from_millis(5);

/// A caller and its job.
#[derive(Debug)]
pub(super) struct Asked {
    row: Row,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<Enqueued, DbErr>>;

/// Where callers put their jobs.
pub(super) type Door = mpsc::Sender<Asked>;

/// The writer's inbox and its door.
pub(super) fn channel() -> (Door, mpsc::Receiver<Asked>) {
    mpsc::channel(BACKLOG)
}

/// Hands a job over and waits for the commit.
pub(super) async fn ask(core: &Core, door: &Door, job: NewJob) -> Result<Enqueued, DbErr> {
    // A job that cannot be stored is refused before it can spoil a group.
    let row = Row::new(core.clock.now(), job)?;
    let (answer, answered) = oneshot::channel();
    door.send(Asked { row, answer }).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

fn gone() -> DbErr {
    DbErr::Custom("the writer of the queue has ended; nothing is known of the job".to_owned())
}

/// Writes groups until every door is closed.
pub(super) async fn run(core: Core, mut inbox: mpsc::Receiver<Asked>) {
    let mut writer = Writer::new(&core.db);
    let mut group = Vec::new();
    let mut last: Option<Instant> = None;
    while inbox.recv_many(&mut group, CHUNK).await > 0 {
        let quiet = last.is_none_or(|at| at.elapsed() >= QUIET);
        write(&core, &mut writer, std::mem::take(&mut group), quiet).await;
        last = Some(Instant::now());
        // Who was answered just now and has another job joins those who came meanwhile. Otherwise the two
        // halves of busy callers take turns, and each commit carries half of what it could.
        tokio::task::yield_now().await;
        if inbox.is_empty() {
            writer.rest();
        }
    }
}

async fn write(core: &Core, writer: &mut Writer, group: Vec<Asked>, quiet: bool) {
    let mut queues: Vec<String> = Vec::new();
    for asked in &group {
        if !queues.contains(&asked.row.queue) {
            queues.push(asked.row.queue.clone());
        }
    }
    let alone = match &*group {
        [asked] => asked.row.pointer(),
        _ => None,
    };
    let (rows, answers): (Vec<Row>, Vec<Answer>) = group
        .into_iter()
        .map(|asked| (asked.row, asked.answer))
        .unzip();
    let now = core.clock.now();
    let mut told = false;
    let mut tell = alone.map(|pointer| {
        || {
            told = true;
            core.hint(&queues[0], pointer);
        }
    });
    let early = if quiet { tell.take() } else { None };
    match insert_group(writer, now, &rows, early).await {
        Ok(inserted) => {
            if let (Some(tell), [_]) = (tell, &*inserted) {
                tell();
            }
            match sort_out_group(writer, now, rows, inserted).await {
                Ok(enqueued) => {
                    for (answer, enqueued) in answers.into_iter().zip(enqueued) {
                        // Whoever asked may have gone; its job is there all the same.
                        let _ = answer.send(Ok(enqueued));
                    }
                }
                Err(error) => refuse(answers, error),
            }
        }
        // Nobody knows whether the group was committed: that is for the callers to hear, not to be
        // tried again.
        Err(error) if rows.len() == 1 || settle::away(&error) => refuse(answers, error),
        // One row spoils the group, and the statement was undone. Each goes on its own and hears about itself alone.
        Err(_) => {
            for (row, answer) in rows.into_iter().zip(answers) {
                let _ = answer.send(insert_alone(writer, now, row).await);
            }
        }
    }
    if !told {
        for queue in queues {
            core.nudge(&queue);
        }
    }
}

async fn insert_alone(writer: &mut Writer, now: Timestamp, row: Row) -> Result<Enqueued, DbErr> {
    let rows = vec![row];
    let inserted = insert_group(writer, now, &rows, None::<fn()>).await?;
    let mut enqueued = sort_out_group(writer, now, rows, inserted).await?;
    Ok(enqueued.remove(0))
}

fn refuse(answers: Vec<Answer>, error: DbErr) {
    let text = error.to_string();
    let mut error = Some(error);
    for answer in answers {
        let error = error.take().unwrap_or_else(|| DbErr::Custom(text.clone()));
        let _ = answer.send(Err(error));
    }
}
