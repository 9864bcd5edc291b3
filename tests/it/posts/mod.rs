//! Posts, from the request to TikTok.

mod batch;
mod cancel;
mod crashes;
mod deadlines;
mod disclosure;
mod edits;
mod events;
mod far_ahead;
mod idempotency;
mod inbox;
mod init_faults;
mod init_refusals;
mod last_chunk;
mod late;
mod local_times;
mod polling;
mod post_ids;
mod publish;
mod retry;
mod schedule;
mod status;
mod submission;
mod sweep;
mod uploads;
