//! The planner over random accounts.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

fn ago(minutes: u64) -> Timestamp {
    NOW - Duration::from_secs(minutes * 60)
}

fn ahead(minutes: u64) -> Timestamp {
    NOW + Duration::from_secs(minutes * 60)
}

fn need() -> Need {
    Need {
        account: account(1),
        videos: 50,
        read_at: Some(ago(120)),
        whole_at: Some(ago(120)),
        looked_at: None,
        checkpoint_at: None,
    }
}

fn rank_of(need: &Need) -> Option<(Rank, Timestamp)> {
    due(need, NOW).map(|due| (due.rank, due.since))
}

#[test]
fn each_reason_has_its_rank() {
    assert_eq!(due(&need(), NOW), None);
    let day = Need {
        whole_at: Some(ago(22 * 60 + 1)),
        ..need()
    };
    assert_eq!(
        rank_of(&day),
        Some((Rank::Day, ago(60 * 22 + 1) + WHOLE_WITHIN))
    );
    let young = Need {
        checkpoint_at: Some(ahead(59)),
        ..need()
    };
    assert_eq!(rank_of(&young), Some((Rank::Young, ahead(59))));
    let fresh = Need {
        whole_at: None,
        read_at: None,
        ..need()
    };
    assert_eq!(rank_of(&fresh), Some((Rank::Young, NOW)));
    let looked = Need {
        looked_at: Some(ago(300)),
        ..need()
    };
    assert_eq!(rank_of(&looked), Some((Rank::Looked, ago(60))));
    let last_week = Need {
        looked_at: Some(ago(3 * 24 * 60)),
        ..need()
    };
    assert_eq!(due(&last_week, NOW), None);
    assert_eq!(next_due(&last_week, NOW), ago(120) + WARM_GAP);
    let early = Need {
        whole_at: Some(ago(17 * 60)),
        ..need()
    };
    assert_eq!(rank_of(&early), Some((Rank::Early, ago(60))));
    assert_eq!((calls(&need(), NOW), calls(&early, NOW)), (1, 3));
}

#[test]
fn a_young_post_is_read_at_its_age_and_not_before() {
    let young = Need {
        checkpoint_at: Some(ahead(40)),
        ..need()
    };
    // Even if it could not wait for the next plan either.
    let both = Need {
        account: account(2),
        whole_at: Some(ago(23 * 60)),
        ..young.clone()
    };
    let plan = plan(NOW, 100, &[young, both]);
    assert_eq!(plan.turns.len(), 2);
    assert!(plan.turns.iter().all(|turn| turn.at == ahead(40)));
}

#[test]
fn an_account_that_is_larger_than_an_hour_is_not_left_out() {
    let huge = Need {
        videos: 1_000_000,
        whole_at: Some(ago(23 * 60)),
        ..need()
    };
    let plan = plan(NOW, 100, &[huge]);
    assert_eq!((plan.turns.len(), plan.calls), (1, 100));
    assert!(super::plan(NOW, 0, &[need()]).turns.is_empty());
}

fn minutes() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), (0_u64..40 * 60).prop_map(Some)]
}

prop_compose! {
    fn any_need(number: u128)(
        videos in 0_u32..400,
        read in minutes(),
        whole in minutes(),
        looked in minutes(),
        checkpoint in prop_oneof![Just(None), (-60_i64..600).prop_map(Some)],
    ) -> Need {
        Need {
            account: account(number),
            videos,
            read_at: read.map(ago),
            whole_at: whole.map(ago),
            looked_at: looked.map(ago),
            checkpoint_at: checkpoint.map(|m| Timestamp::from_millis(NOW.as_millis() + m * 60_000)),
        }
    }
}

fn any_needs() -> impl Strategy<Value = Vec<Need>> {
    (1_usize..60).prop_flat_map(|count| (0..count as u128).map(any_need).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn a_plan_keeps_its_budget_and_its_order(needs in any_needs(), budget in 1_u32..200) {
        let plan = plan(NOW, budget, &needs);
        let spent: u32 = plan.turns.iter().map(|turn| turn.calls).sum();
        prop_assert_eq!(spent, plan.calls);
        prop_assert!(spent <= budget);
        let by_account: HashMap<AccountId, &Need> =
            needs.iter().map(|need| (need.account, need)).collect();
        let mut seen = HashSet::new();
        for turn in &plan.turns {
            prop_assert!(seen.insert(turn.account), "two turns");
            prop_assert!(turn.at >= NOW && turn.at < NOW + PERIOD, "{turn:?}");
            prop_assert_eq!(due(by_account[&turn.account], NOW).unwrap().rank, turn.rank);
        }
        for (account, _) in &plan.put_off {
            prop_assert!(seen.insert(*account), "read and put off");
        }
        let wanted = needs.iter().filter(|need| due(need, NOW).is_some()).count();
        prop_assert_eq!(seen.len(), wanted);
        // Nobody waits while somebody behind takes what would have sufficed.
        for (waiting, rank) in &plan.put_off {
            let own = due(by_account[waiting], NOW).unwrap();
            let costs = calls(by_account[waiting], earliest(&own, NOW)).min(budget);
            let ahead: u32 = plan.turns.iter().filter(|turn| {
                let since = due(by_account[&turn.account], NOW).unwrap().since;
                (turn.rank, since, turn.account) < (*rank, own.since, *waiting)
            }).map(|turn| turn.calls).sum();
            prop_assert!(ahead + costs > budget, "{waiting} could have been read");
        }
    }

    #[test]
    fn what_is_shown_as_due_is_never_later_than_a_day(need in any_need(1)) {
        let shown = next_due(&need, NOW);
        if let Some(whole) = need.whole_at {
            prop_assert!(shown <= whole + WHOLE_WITHIN);
        } else {
            prop_assert_eq!(shown, NOW);
        }
        // Whatever is due within the hour, spare calls aside, shows a time that is near.
        if let Some(due) = due(&need, NOW)
            && due.rank != Rank::Early
        {
            prop_assert!(shown <= NOW + PERIOD + PERIOD);
        }
    }
}
