//! What a round is made of, chosen by a generator of numbers.

use tiktok::Endpoint as Call;
use tiktok_sim::{Endpoint, FaultKind};

use super::{
    plan::{Kind, LEASE_S, PlannedFault, PlannedPost, Setting, Shape, Way, What},
    rng::Rng,
};
use crate::{
    crash::{Commit, CrashAt, Point, Side, Step},
    job,
};

/// The queues of which posts need one.
pub(super) const QUEUES: [&str; 3] = [job::UPLOADS, job::STATUS, job::TOKENS];
/// One of so many posts has a large film: its bytes take long to pass.
const ONE_LARGE_OF: u64 = 80;
/// One of so many posts is stopped.
const ONE_STOPPED_OF: u64 = 8;

pub(super) fn post(rng: &mut Rng, creator: usize, spread: u64) -> PlannedPost {
    let way = way(rng);
    PlannedPost {
        at: rng.below(spread),
        creator,
        way,
        large: rng.below(ONE_LARGE_OF) == 0 && way != Way::Photo,
        stop_after: (rng.below(ONE_STOPPED_OF) == 0).then(|| rng.below(2_500)),
    }
}

fn way(rng: &mut Rng) -> Way {
    match rng.below(10) {
        0..4 => Way::Direct,
        4..6 => Way::Inbox,
        6 => Way::Photo,
        7 => Way::Draft,
        _ => Way::Scheduled(rng.between(5, 40)),
    }
}

pub(super) fn fault(rng: &mut Rng, kind: Kind, shape: &Shape, spread: u64) -> PlannedFault {
    let process = rng.index(shape.processes);
    let link = *rng.one_of(&shape.links);
    let lease = LEASE_S * 1_000 / shape.rate;
    let (lasts, what) = match kind {
        Kind::Kill => {
            let again = (rng.below(2) == 0).then(|| crash_at(rng));
            (rng.below(400), What::Kill { process, again })
        }
        Kind::Stop => (lease + lease / 3 + rng.below(lease), What::Stop { process }),
        Kind::RedisRestart => (rng.between(100, 1_500), What::RedisRestart),
        Kind::Flushall => (0, What::Flushall),
        Kind::Maxmemory => (rng.between(300, 2_000), What::Maxmemory),
        Kind::DbRestart => (rng.between(0, 1_000), What::DbRestart),
        Kind::Cut => (0, What::Cut(link)),
        Kind::Delay => (
            rng.between(500, 2_000),
            What::Delay(link, rng.between(20, 400)),
        ),
        Kind::HalfOpen => (rng.between(500, 2_500), What::HalfOpen(link)),
        Kind::Clock => {
            let minutes = if rng.below(2) == 0 { 5 } else { -5 };
            (rng.between(500, 3_000), What::Clock { process, minutes })
        }
        Kind::DiskFull => (rng.between(300, 1_500), What::DiskFull),
        Kind::Pause => {
            let (queue, drain) = (*rng.one_of(&QUEUES), rng.below(2) == 0);
            (rng.between(500, 3_000), What::Pause { queue, drain })
        }
        Kind::Sim => (0, sim_fault(rng)),
        Kind::SimConfig => (0, What::SimConfig(setting(rng))),
    };
    PlannedFault {
        at: rng.below(spread + 1_000),
        lasts,
        what,
    }
}

/// A point that a post passes for certain, or nearly so.
fn crash_at(rng: &mut Rng) -> CrashAt {
    let steps = [
        Step::Call(Call::CreatorInfo),
        Step::Call(Call::VideoInit),
        Step::Call(Call::InboxVideoInit),
        Step::Call(Call::PhotoInit),
        Step::Call(Call::ChunkUpload),
        Step::Call(Call::StatusFetch),
        Step::Commit(Commit::JobsDispatched),
        Step::Commit(Commit::JobsClaimed),
        Step::Commit(Commit::PostChanged),
        Step::Commit(Commit::AttemptOpened),
        Step::Commit(Commit::InitAccepted),
        Step::Commit(Commit::LastChunkStarted),
        Step::Commit(Commit::BytesAcknowledged),
        Step::Commit(Commit::JobsSettled),
        Step::Commit(Commit::JobsRescued),
    ];
    CrashAt {
        point: Point {
            step: *rng.one_of(&steps),
            side: *rng.one_of(&[Side::Before, Side::After]),
        },
        nth: u32::try_from(rng.between(1, 2)).unwrap_or(1),
    }
}

fn sim_fault(rng: &mut Rng) -> What {
    let endpoint = *rng.one_of(&[
        Endpoint::CreatorInfo,
        Endpoint::VideoInit,
        Endpoint::InboxInit,
        Endpoint::PhotoInit,
        Endpoint::Upload,
        Endpoint::Upload,
        Endpoint::Status,
        Endpoint::OauthRefresh,
        Endpoint::VideoList,
        Endpoint::Cancel,
        Endpoint::UserInfo,
    ]);
    let kind = match rng.below(11) {
        0 => FaultKind::LostBeforeEffect,
        1 | 2 => FaultKind::LostAfterEffect,
        3 => FaultKind::Status {
            status: *rng.one_of(&[500, 502, 503, 504]),
        },
        4 => FaultKind::StatusAfterEffect {
            status: *rng.one_of(&[500, 502, 504]),
        },
        5 => FaultKind::Stall {
            ms: rng.between(200, 4_000),
        },
        6 => FaultKind::StallAfterEffect {
            ms: rng.between(200, 4_000),
        },
        7 => FaultKind::RateLimit,
        8 if endpoint != Endpoint::Upload && endpoint != Endpoint::OauthRefresh => {
            FaultKind::DeadToken
        }
        9 if endpoint == Endpoint::Upload => FaultKind::CutChunk { after_bytes: None },
        _ => FaultKind::TruncatedJson,
    };
    What::Sim {
        endpoint,
        kind,
        after: u32::try_from(rng.below(3)).unwrap_or_default(),
    }
}

/// What TikTok may do at any time without being broken. Times are simulated.
fn setting(rng: &mut Rng) -> Setting {
    match rng.below(4) {
        0 => Setting::StatusLag(rng.between(5, 60) * 1_000),
        1 => Setting::LatePostId(rng.between(10, 120) * 1_000),
        2 => Setting::SlowProcessing(rng.between(5, 90) * 1_000),
        _ => Setting::Webhooks {
            duplicates: u32::try_from(rng.between(1, 3)).unwrap_or(1),
            delay_ms: rng.between(0, 60) * 1_000,
        },
    }
}
