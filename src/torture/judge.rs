//! Compares what was accepted with what the simulator saw.

use tiktok_sim::{Endpoint, Entry, Rule};

use super::{
    plan::{Kind, Plan, Way},
    report::Tally,
    round::Played,
    world::World,
};

/// What is wrong with a round, in words; nothing, when all is well. Counts go into `tally`.
pub(super) async fn judge(
    world: &World,
    plan: &Plan,
    played: &Played,
    tally: &mut Tally,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = played.troubles.clone();
    let published = world.sim.published().await?;
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
        let appeared = published
            .iter()
            .filter(|row| !row.by_creator && row.sha256.as_deref() == Some(&*post.sha256))
            .count();
        if appeared > 1 {
            tally.twice += 1;
            wrong.push(format!("{} appeared {appeared} times", post.id));
        }
        let good = match post.way {
            Way::Inbox => "IN_INBOX",
            Way::Direct | Way::Draft | Way::Scheduled(_) => "PUBLISHED",
        };
        let state = &*post.seen.state;
        if !post.seen.has_ended() {
            tally.lost += 1;
            wrong.push(format!("{} has not ended: {}", post.id, post.seen.answer));
        } else if (state == good) != (appeared > 0) {
            tally.lost += 1;
            wrong.push(format!(
                "{} is {state} and appeared {appeared} times: {}",
                post.id, post.seen.answer
            ));
        }
        if post.seen.doubts > 0 {
            tally.doubts += post.seen.doubts;
            if !was_disturbed(plan) && !has_lost_an_answer(&calls, &post.seen.answer) {
                tally.needless += 1;
                wrong.push(format!(
                    "{} was UNCONFIRMED although no answer was lost: {}",
                    post.id, post.seen.answer
                ));
            }
        }
    }
    for broken in world.sim.broken().await? {
        if broken.seq <= played.since_call {
            continue;
        }
        // What a process knew alone dies with it: that TikTok refused a token, or gave a new one.
        let forgotten = matches!(
            broken.rule,
            Rule::DeadRefreshTokenUsed | Rule::RefusedTokenUsedAgain
        );
        if forgotten && was_disturbed(plan) {
            tally.excused += 1;
            continue;
        }
        tally.rules += 1;
        wrong.push(format!(
            "call {} broke {:?}: {}",
            broken.seq, broken.rule, broken.detail
        ));
    }
    tally.calls += calls.len() as u64;
    tally.simulated_s += (world.sim.now_ms().await? - played.began_ms).unsigned_abs() / 1_000;
    Ok(wrong)
}

/// Whether anything but TikTok failed, so that an answer may have been lost anywhere.
fn was_disturbed(plan: &Plan) -> bool {
    plan.faults
        .iter()
        .any(|fault| !matches!(fault.what.kind(), Kind::Sim | Kind::DiskFull))
}

/// Whether one of the post's uploads was not answered, or answered by a fault.
fn has_lost_an_answer(calls: &[Entry], answer: &serde_json::Value) -> bool {
    let attempts = answer["attempts"].as_array();
    let ids: Vec<&str> = attempts
        .into_iter()
        .flatten()
        .filter_map(|attempt| attempt["publishId"].as_str())
        .collect();
    calls
        .iter()
        .filter(|call| call.endpoint == Endpoint::Upload)
        .filter(|call| ids.iter().any(|id| call.publish_id.as_deref() == Some(id)))
        .any(|call| !call.answered || call.fault.is_some())
}
