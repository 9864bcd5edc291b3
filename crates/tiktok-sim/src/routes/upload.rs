//! PUT to an `upload_url`: one chunk, read as a stream, hashed, and counted only when it is whole.
//!
//! No more than a frame of the body is in memory. A refused body is still read to its end: closing on a
//! client that writes could cost it the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use sha2::Digest;

use super::upload_check::{self, Ticket};
use super::{gateway, refuse_early};
use crate::call::Call;
use crate::config_transfer::ProgressHeader;
use crate::endpoint::Endpoint;
use crate::envelope::Answer;
use crate::fault::{FaultKind, Hit};
use crate::ledger::Rule;
use crate::publish::{HEAD_BYTES, Upload};
use crate::server::KillSwitch;
use crate::state::{Core, State};

/// An answer of the upload host: no JSON is documented.
pub(crate) fn plain(call: &Call, status: u16, code: &str) -> Answer {
    Answer::plain(status, code, "", "text/plain", &call.log_id)
}

/// The progress header: `bytes 0-N/TOTAL`.
pub(crate) fn progress(state: &State, upload: &Upload) -> String {
    let number = match state.config.uploads.progress {
        ProgressHeader::Count => upload.received,
        ProgressHeader::LastIndex => upload.received.saturating_sub(1),
    };
    format!("bytes 0-{number}/{}", upload.plan.size)
}

/// Takes one chunk.
pub(crate) async fn put(core: Arc<Core>, kill: KillSwitch, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut call = Call::new(
        core.clock.now_ms(),
        Endpoint::Upload,
        &parts.method,
        &parts.uri,
        parts.headers,
        Bytes::new(),
    );
    let (hit, pace) = core.look(|state, now| {
        call.now = now;
        upload_check::identify(state, &mut call);
        let hit = state
            .faults
            .take(Endpoint::Upload, call.entry.account.as_deref());
        (hit, state.config.uploads.bytes_per_second)
    });
    call.entry.fault = hit.as_ref().map(|hit| hit.name.clone());
    let kind = hit.map(|Hit { kind, .. }| kind);
    if kind == Some(FaultKind::LostBeforeEffect) {
        return lose(&core, &kill, call);
    }
    if let Some(FaultKind::Stall { ms }) = kind {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let checked = core.look(|state, now| {
        call.now = now;
        let refused = match &kind {
            Some(FaultKind::CutChunk { .. }) | None => None,
            Some(kind) => refuse_early(state, &call, kind),
        };
        match refused {
            Some(answer) => Err(answer),
            None => upload_check::admit(state, &mut call),
        }
    });
    let (mut ticket, refused) = match checked {
        Ok(ticket) => (Some(ticket), None),
        Err(answer) => (None, Some(answer)),
    };
    let declared = upload_check::content_length(&call);
    let cut_after = match &kind {
        Some(FaultKind::CutChunk { after_bytes }) => {
            Some(after_bytes.unwrap_or(declared.unwrap_or_default() / 2))
        }
        _ => None,
    };
    let mut stream = body.into_data_stream();
    while let Some(frame) = stream.next().await {
        let Ok(frame) = frame else {
            call.entry.code = "body_cut".to_owned();
            call.entry.expected = true;
            core.look(|state, _| state.ledger.push(call.entry));
            return plain_lost();
        };
        call.entry.bytes_in += frame.len() as u64;
        if let Some(ticket) = &mut ticket {
            ticket.absorb(&frame);
        }
        if cut_after.is_some_and(|limit| call.entry.bytes_in >= limit) {
            return lose(&core, &kill, call);
        }
        if let Some(pace) = pace {
            tokio::time::sleep(Duration::from_secs_f64(frame.len() as f64 / pace as f64)).await;
        }
    }
    let mut answer = core.with(|state, now| {
        call.now = now;
        match (ticket, refused) {
            (Some(ticket), _) => commit(state, &mut call, ticket),
            (None, Some(answer)) => answer,
            (None, None) => plain(&call, 500, "internal_error"),
        }
    });
    if let Some(FaultKind::StatusAfterEffect { status }) = kind {
        answer = gateway(status, &call.log_id);
    }
    call.entry.status = answer.status;
    call.entry.code.clone_from(&answer.code);
    let lost = kind == Some(FaultKind::LostAfterEffect);
    let seq = core.look(|state, _| state.ledger.push(call.entry));
    if lost {
        kill.cut();
        return answer.into_response();
    }
    if let Some(FaultKind::StallAfterEffect { ms }) = kind {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    core.look(|state, _| state.ledger.mark_answered(seq));
    answer.into_response()
}

fn lose(core: &Core, kill: &KillSwitch, mut call: Call) -> Response {
    kill.cut();
    call.entry.code = "connection_lost".to_owned();
    core.look(|state, _| state.ledger.push(call.entry));
    plain_lost()
}

/// What is returned to hyper for a connection that is already gone.
fn plain_lost() -> Response {
    Answer::plain(500, "", "", "text/plain", "").into_response()
}

impl Ticket {
    fn absorb(&mut self, frame: &[u8]) {
        self.hasher.update(frame);
        self.read += frame.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(frame.iter().take(missing));
    }
}

/// The chunk is whole: it counts, unless another PUT was faster.
fn commit(state: &mut State, call: &mut Call, ticket: Ticket) -> Answer {
    let Some(publish) = state.publishes.get_mut(&ticket.publish_id) else {
        return plain(call, 404, "upload_not_found");
    };
    let Some(upload) = publish.upload.as_mut() else {
        return plain(call, 404, "upload_not_found");
    };
    if ticket.read != ticket.last + 1 - ticket.first {
        call.broke(
            Rule::BadUploadHeaders,
            "the body is not as long as its range",
        );
        return plain(call, 400, "bad_upload_headers");
    }
    if upload.received != ticket.first {
        call.broke(Rule::ParallelPut, "another PUT finished this place first");
        let upload = upload.clone();
        let mut answer = plain(call, 416, "range_mismatch");
        answer.range = Some(progress(state, &upload));
        return answer;
    }
    upload.received = ticket.last + 1;
    upload.hasher = ticket.hasher;
    upload.head = ticket.head;
    upload.content_type = Some(ticket.content_type);
    let upload = upload.clone();
    let mut answer = if upload.is_complete() {
        let digest: [u8; 32] = upload.hasher.clone().finalize().into();
        call.entry.sha256 = Some(hex::encode(digest));
        state.begin_processing(&ticket.publish_id, upload.plan.size, call.now);
        plain(call, 201, "ok")
    } else {
        plain(call, 206, "ok")
    };
    answer.range = Some(progress(state, &upload));
    answer
}
