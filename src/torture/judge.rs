//! Compares what was accepted with what the simulator saw.

use std::{collections::HashMap, time::Duration};

use tiktok_sim::{Endpoint, Entry, Published, Rule};

use super::{
    api::Seen,
    doubt::{SETTLED_MS, Window, photo_inits, publish_ids, uploads},
    plan::{Kind, Plan, Way},
    report::Tally,
    round::{Accepted, Played},
    until,
    world::World,
};
use crate::queue::POISON_CRASHES;

/// How far the clocks of the daemons and the simulator may be apart, real.
const CLOCKS_AGREE_MS: i64 = 500;
/// How long one post may take to be read again.
const REREAD: Duration = Duration::from_secs(30);

/// What is wrong with a round, in words; nothing, when all is well. Counts go into `tally`. `history`
/// is what was wrong since the world began: an answer that was lost then may be missed only now.
pub(super) async fn judge(
    world: &World,
    plan: &Plan,
    played: &Played,
    history: &[Window],
    rate: u64,
    tally: &mut Tally,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = played.troubles.clone();
    let published = world.sim.published(played.began_ms).await?;
    let calls = world.sim.calls_after(played.since_call).await?;
    tally.posts += plan.posts.len() as u64;
    tally.accepted += played.accepted.len() as u64;
    for fault in &plan.faults {
        *tally
            .faults
            .entry(format!("{:?}", fault.what.kind()))
            .or_default() += 1;
    }
    for post in &played.accepted {
        *tally.ended.entry(post.seen.state.clone()).or_default() += 1;
        let appeared: Vec<&Published> = published
            .iter()
            .filter(|row| !row.by_creator && row.sha256.as_deref() == Some(&*post.sha256))
            .collect();
        let otherwise = |row: &&&Published| row.reach != "INBOX" && row.caption != post.caption;
        if let Some(row) = appeared.iter().find(otherwise) {
            tally.lost += 1;
            wrong.push(format!("{} says {:?} at TikTok", post.id, row.caption));
        }
        let appeared = appeared.len();
        if appeared > 1 {
            tally.twice += 1;
            wrong.push(format!("{} appeared {appeared} times", post.id));
        }
        let good = match post.way {
            Way::Inbox => "IN_INBOX",
            Way::Direct | Way::Draft | Way::Photo | Way::Scheduled(_) => "PUBLISHED",
        };
        let state = &*post.seen.state;
        if is_unknowable(post) {
            // Nobody can say how it ended; its owner is asked.
            tally.unknowable += 1;
        } else if !post.seen.has_ended() {
            tally.lost += 1;
            wrong.push(format!("{} has not ended: {}", post.id, post.seen.answer));
        } else if (state == good) != (appeared > 0) {
            tally.lost += 1;
            wrong.push(format!(
                "{} is {state} and appeared {appeared} times: {}",
                post.id, post.seen.answer
            ));
        }
        if post.said_stopped && state != "CANCELLED" {
            tally.lost += 1;
            wrong.push(format!("{} was stopped: {}", post.id, post.seen.answer));
        }
        if is_poison(&post.seen, plan, played) {
            tally.poison += 1;
        } else if let Some(reason) = ended_badly(post)
            && !is_pull_that_failed(post, &calls, played, rate)
        {
            tally.unexplained += 1;
            wrong.push(format!("{} {reason}: {}", post.id, post.seen.answer));
        }
        if let Some(early_s) = early(post, &calls, played, rate) {
            tally.early += 1;
            wrong.push(format!("{} went {early_s} s before its time", post.id));
        }
        wrong.extend(doubts(post, &calls, played, rate, tally));
    }
    let may_be_lost = |at_ms| {
        let mut windows = history.iter();
        windows.any(|window| window.touches(at_ms, rate))
    };
    wrong.extend(rules(world, was_disturbed(plan), &may_be_lost, tally).await?);
    tally.calls += calls.len() as u64;
    tally.simulated_s += (world.sim.now_ms().await? - played.began_ms).unsigned_abs() / 1_000;
    Ok(wrong)
}

/// The rules that were broken and the refusals that were met since the last time, without those that
/// nobody can help. `may_be_lost` says whether an answer of that moment may not have arrived.
async fn rules(
    world: &World,
    disturbed: bool,
    may_be_lost: &dyn Fn(i64) -> bool,
    tally: &mut Tally,
) -> anyhow::Result<Vec<String>> {
    let verdict = world.sim.verdict().await?;
    let mut wrong = Vec::new();
    for broken in verdict.broken {
        // What a process knew alone dies with it: that TikTok refused a token, or gave a new one.
        let forgotten = matches!(
            broken.rule,
            Rule::DeadRefreshTokenUsed | Rule::RefusedTokenUsedAgain
        );
        if forgotten && disturbed {
            tally.excused += 1;
            continue;
        }
        tally.rules += 1;
        wrong.push(format!(
            "call {} broke {:?}: {}",
            broken.seq, broken.rule, broken.detail
        ));
    }
    for entry in verdict.refused {
        if is_excusable(world, &entry, may_be_lost).await? {
            tally.excused += 1;
            continue;
        }
        tally.refused += 1;
        wrong.push(format!(
            "call {} to {:?} was refused: {} {}",
            entry.seq, entry.endpoint, entry.status, entry.code
        ));
    }
    Ok(wrong)
}

/// Refusals that a right client meets too: of an access token that a fault let die, until everybody
/// who holds it has heard of that; and of a refresh token that TikTok had exchanged when its answer
/// was lost, which is all that the client has; and to stop what TikTok has fetched meanwhile.
async fn is_excusable(
    world: &World,
    refused: &Entry,
    may_be_lost: &dyn Fn(i64) -> bool,
) -> anyhow::Result<bool> {
    if refused.endpoint == Endpoint::Cancel && refused.code == "publish_not_cancellable" {
        return Ok(true);
    }
    let Some(creator) = &refused.account else {
        return Ok(false);
    };
    let calls = world.sim.calls_of(creator).await?;
    let mut before = calls
        .iter()
        .filter(|call| call.seq < refused.seq && call.token == refused.token);
    Ok(match &*refused.code {
        "access_token_invalid" => before.any(|call| call.fault.as_deref() == Some("dead_token")),
        "invalid_grant" => before.any(|call| {
            let lost = !call.answered || call.fault.is_some() || may_be_lost(call.at_ms);
            call.endpoint == Endpoint::OauthRefresh && lost
        }),
        _ => false,
    })
}

/// Whether anything but TikTok failed, so that an answer may have been lost anywhere.
fn was_disturbed(plan: &Plan) -> bool {
    plan.faults
        .iter()
        .any(|fault| !matches!(fault.what.kind(), Kind::Sim | Kind::DiskFull | Kind::Pause))
}

/// What is wrong with the times for which a post was UNCONFIRMED.
fn doubts(
    post: &Accepted,
    calls: &[Entry],
    played: &Played,
    rate: u64,
    tally: &mut Tally,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let uploads = if post.way == Way::Photo {
        let others = played.accepted.iter().filter(|other| other.id != post.id);
        let others: Vec<&str> = others
            .flat_map(|other| publish_ids(&other.seen.answer))
            .collect();
        photo_inits(calls, &post.creator, &others)
    } else {
        uploads(calls, &post.seen.answer)
    };
    for doubt in &post.seen.doubts {
        tally.doubts += 1;
        if !doubt.is_explained(&uploads, &played.windows, rate) {
            tally.needless += 1;
            wrong.push(format!(
                "{} was UNCONFIRMED although no answer was lost ({doubt:?}, {:?}): {}",
                post.id, played.windows, post.seen.answer
            ));
        }
        // A daemon may still have died at a crash point after the healing.
        let deaths = played.windows.iter().map(|window| window.to_ms);
        let healed_ms = deaths.fold(played.healed_ms, i64::max);
        let lasted_ms = doubt.after(healed_ms, played.ended_ms);
        tally.longest_doubt_s = tally.longest_doubt_s.max(lasted_ms / 1_000);
        if lasted_ms > SETTLED_MS && post.seen.can_be_asked {
            tally.unsettled += 1;
            wrong.push(format!(
                "{} was UNCONFIRMED for {} s although TikTok knew: {}",
                post.id,
                lasted_ms / 1_000,
                post.seen.answer
            ));
        }
    }
    wrong
}

/// How many seconds before its time a scheduled post was announced to TikTok by a clock that nobody bent.
fn early(post: &Accepted, calls: &[Entry], played: &Played, rate: u64) -> Option<i64> {
    let at_ms = post.publish_at_ms?;
    let ids = publish_ids(&post.seen.answer);
    let inits = calls.iter().filter(|call| {
        let id = call.publish_id.as_deref();
        call.endpoint == Endpoint::VideoInit && id.is_some_and(|id| ids.contains(&id))
    });
    let first_ms = inits.map(|call| call.at_ms).min()?;
    let ahead = played.windows.iter().map(|window| window.ahead_ms);
    let ahead_ms = ahead.fold(0, i64::max);
    // The clocks of two processes agree to a fraction of a real second.
    let early_ms = at_ms - first_ms - ahead_ms - CLOCKS_AGREE_MS * i64::try_from(rate).unwrap_or(1);
    (early_ms > 0).then_some(early_ms / 1_000)
}

/// A photo whose init was not answered: TikTok gave no id to ask by, and its list shows no photos. It
/// may be in doubt for as long as our addresses live, and longer if TikTok came.
fn is_unknowable(post: &Accepted) -> bool {
    post.way == Way::Photo && post.seen.state == "UNCONFIRMED" && !post.seen.can_be_asked
}

/// A photo that TikTok could not fetch because the daemon that has it was away: TikTok's own word, and
/// the owner may try again.
fn is_pull_that_failed(post: &Accepted, calls: &[Entry], played: &Played, rate: u64) -> bool {
    post.way == Way::Photo
        && post.seen.answer["failure"]["code"] == "photo_pull_failed"
        && photo_inits(calls, &post.creator, &[]).iter().any(|call| {
            let mut windows = played.windows.iter();
            windows.any(|window| window.touches(call.at_ms, rate))
        })
}

/// A post whose job was given up because its process was lost each time that it ran. Who froze or lost
/// its database for longer than a lease counts as lost.
fn is_poison(seen: &Seen, plan: &Plan, played: &Played) -> bool {
    let losing = [Kind::Kill, Kind::Stop, Kind::DbRestart, Kind::HalfOpen];
    let mut losses = played.died;
    for fault in &plan.faults {
        losses += usize::from(losing.contains(&fault.what.kind()));
    }
    seen.state == "FAILED"
        && seen.answer["failure"]["code"] == "gave_up"
        && i32::try_from(losses).is_ok_and(|losses| losses >= POISON_CRASHES)
}

/// Every fault of a plan passes, so no post that its owner lets go has a reason to end otherwise than it was meant to.
fn ended_badly(post: &Accepted) -> Option<String> {
    let seen = &post.seen;
    let state = &*seen.state;
    if state == "CANCELLED" && post.stopped {
        return None;
    }
    if !["FAILED", "MISSED", "CANCELLED", "LAPSED"].contains(&state) {
        return None;
    }
    let code = seen.answer["failure"]["code"].as_str().unwrap_or("none");
    Some(format!("ended {state} without a reason (code {code})"))
}

/// How much of TikTok's time is let pass at once at the end: whatever is being processed is done.
const PROCESSED_MS: i64 = 10 * 60 * 1_000;

/// A post of a round that is over.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    seed: u64,
    id: String,
    sha256: String,
    state: String,
}

impl Ended {
    pub(super) fn all(seed: u64, played: &Played) -> impl Iterator<Item = Self> {
        played.accepted.iter().map(move |post| Self {
            seed,
            id: post.id.clone(),
            sha256: post.sha256.clone(),
            state: post.seen.state.clone(),
        })
    }
}

/// Judges the posts of all rounds once more at the end: what came late counts too, and no end was
/// revoked. `history` is what was wrong since the world began. Gives what is wrong, with the seed of its round.
pub(super) async fn last_word(
    world: &World,
    ended: &[Ended],
    history: &[Window],
    rate: u64,
    tally: &mut Tally,
) -> anyhow::Result<Vec<(u64, String)>> {
    world.sim.advance(PROCESSED_MS).await?;
    let mut appeared: HashMap<String, u64> = HashMap::new();
    for row in world.sim.published(0).await? {
        if let Some(sha256) = row.sha256.filter(|_| !row.by_creator) {
            *appeared.entry(sha256).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    let seed = ended.last().map_or(0, |post| post.seed);
    let may_be_lost = |at_ms| {
        let mut windows = history.iter();
        windows.any(|window| window.touches(at_ms, rate))
    };
    let late = rules(world, !history.is_empty(), &may_be_lost, tally).await?;
    wrong.extend(late.into_iter().map(|text| (seed, text)));
    for post in ended {
        let seen = until(REREAD, "a post is read again", async || {
            world.daemons.any().look(&post.id).await.ok()
        })
        .await?;
        let times = appeared.get(&post.sha256).copied().unwrap_or_default();
        let stays = seen.state == post.state || post.state == "UNCONFIRMED";
        let good = ["PUBLISHED", "IN_INBOX"].contains(&&*seen.state);
        tally.reread += 1;
        if times > 1 {
            tally.twice += 1;
            wrong.push((post.seed, format!("{} appeared {times} times", post.id)));
        } else if !stays || (seen.state != "UNCONFIRMED" && good != (times == 1)) {
            tally.lost += 1;
            let text = format!(
                "{} was {}, is {} and appeared {times} times: {}",
                post.id, post.state, seen.state, seen.answer
            );
            wrong.push((post.seed, text));
        }
    }
    Ok(wrong)
}
