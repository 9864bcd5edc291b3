//! Posts, from the request to TikTok.

mod cancel;
mod crashes;
mod deadlines;
mod disclosure;
mod edits;
mod events;
mod idempotency;
mod inbox;
mod init_faults;
mod init_refusals;
mod last_chunk;
mod polling;
mod post_ids;
mod publish;
mod retry;
mod schedule;
mod status;
mod submission;
mod sweep;
mod uploads;
