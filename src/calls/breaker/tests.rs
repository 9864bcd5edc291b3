//! The breaker by example, and by random moves.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_900_000_000 + seconds)
}

/// Whoever asks.
const ANY: u32 = 99;

/// A breaker that opened at second zero.
fn open() -> Breaker {
    let mut breaker = Breaker::default();
    for number in 0..u32::try_from(FAILURES).unwrap() {
        breaker.hear(at(0), Health::Bad, number, None);
    }
    assert_eq!(breaker.state(at(0)), State::Open);
    breaker
}

#[test]
fn it_opens_at_the_threshold_and_probes_with_growing_gaps() {
    let mut breaker = open();
    let (mut now, mut gap) = (at(0), FIRST_GAP);
    for _ in 0..8 {
        assert_eq!(breaker.look(now, ANY), Look::Wait(now + gap));
        assert_eq!(breaker.begin_probe(now, ANY), None);
        now = now + gap;
        let probe = breaker.begin_probe(now, ANY);
        assert!(probe.is_some());
        assert_eq!(breaker.state(now), State::HalfOpen);
        assert!(
            matches!(breaker.look(now, ANY), Look::Wait(_)),
            "one at a time"
        );
        assert_eq!(breaker.hear(now, Health::Bad, 0, probe), Turn::Reopened);
        gap = (gap * 2).min(LONGEST_GAP);
    }
    now = now + gap;
    let probe = breaker.begin_probe(now, ANY);
    assert_eq!(breaker.hear(now, Health::Good, 0, probe), Turn::Closed);
    assert!(breaker.is_pristine());
}

#[test]
fn one_creator_alone_is_left_alone_and_others_go_on() {
    let mut breaker = Breaker::default();
    for number in 1..FAILURES {
        let turn = breaker.hear(at(0), Health::Bad, 7, None);
        assert_eq!(turn, Turn::None, "{number}");
    }
    assert_eq!(breaker.hear(at(0), Health::Bad, 7, None), Turn::Opened);
    assert!(breaker.open().is_none());
    assert_eq!(breaker.parked().count(), 1);
    assert!(matches!(breaker.look(at(1), 7), Look::Wait(_)));
    assert_eq!(breaker.look(at(1), 8), Look::Go);
    assert_eq!(breaker.hear(at(1), Health::Good, 8, None), Turn::None);
    for _ in 0..3 {
        assert_eq!(breaker.hear(at(2), Health::Bad, 8, None), Turn::None);
    }
    assert_eq!(breaker.hear(at(3), Health::Bad, 9, None), Turn::None);
    assert_eq!(breaker.look(at(3), 10), Look::Go);
    // Now it is not one creator's affair any more.
    assert_eq!(breaker.hear(at(3), Health::Bad, 9, None), Turn::Opened);
    assert!(breaker.open().is_some());
    assert!(matches!(breaker.look(at(3), 8), Look::Wait(_)));
}

#[test]
fn creators_whose_calls_fail_are_parked_however_much_others_do() {
    let mut breaker = Breaker::default();
    for second in 0..40 {
        for cursed in [7, 8] {
            if breaker.look(at(second), cursed) == Look::Go {
                breaker.hear(at(second), Health::Bad, cursed, None);
            }
        }
        // Forty others.
        for other in 100..140 {
            assert_eq!(breaker.look(at(second), other), Look::Go);
            breaker.hear(at(second), Health::Good, other, None);
        }
    }
    assert!(breaker.open().is_none());
    assert_eq!(breaker.parked().count(), 2);
    for cursed in [7, 8] {
        let probe = breaker.begin_probe(at(60), cursed);
        assert_eq!(
            breaker.hear(at(60), Health::Good, cursed, probe),
            Turn::Closed
        );
    }
    assert_eq!(breaker.parked().count(), 0);
}

#[test]
fn creators_that_fail_one_after_the_other_leave_the_way_open() {
    let mut breaker = Breaker::default();
    for cursed in 0..200 {
        for _ in 0..FAILURES {
            breaker.hear(at(i64::from(cursed)), Health::Bad, cursed, None);
        }
        assert_eq!(breaker.look(at(i64::from(cursed)), 999), Look::Go);
    }
    assert_eq!(breaker.parked().count(), CREATORS);
}

#[test]
fn the_late_end_of_a_probe_of_an_earlier_opening_does_not_count() {
    let mut breaker = open();
    let first = breaker.begin_probe(at(15), ANY);
    let late = at(15) + PROBE_PATIENCE;
    let second = breaker.begin_probe(late, ANY);
    assert_eq!(breaker.hear(late, Health::Good, ANY, second), Turn::Closed);
    for number in 0..u32::try_from(FAILURES).unwrap() {
        breaker.hear(late, Health::Bad, number, None);
    }
    let third = breaker.begin_probe(late + FIRST_GAP, ANY);
    assert!(third.is_some() && third != first);
    let now = late + FIRST_GAP;
    assert_eq!(breaker.hear(now, Health::Good, ANY, first), Turn::None);
    assert_eq!(breaker.hear(now, Health::Good, ANY, third), Turn::Closed);
}

#[test]
fn the_creator_alone_closes_what_is_open_for_it_alone() {
    let mut breaker = Breaker::default();
    for _ in 0..FAILURES {
        breaker.hear(at(0), Health::Bad, 7, None);
    }
    assert_eq!(breaker.begin_probe(at(20), 8), None);
    let probe = breaker.begin_probe(at(20), 7);
    assert!(probe.is_some());
    assert_eq!(breaker.hear(at(21), Health::Good, 7, probe), Turn::Closed);
}

#[test]
fn failures_that_are_few_beside_successes_do_not_open_it() {
    let mut breaker = Breaker::default();
    for number in 0..100 {
        let health = match number % 3 {
            0 => Health::Bad,
            _ => Health::Good,
        };
        assert_eq!(breaker.hear(at(0), health, number, None), Turn::None);
    }
}

#[test]
fn old_failures_are_forgotten() {
    let mut breaker = Breaker::default();
    for number in 0..50 {
        let now = at(i64::from(number) * 16);
        assert_eq!(breaker.hear(now, Health::Bad, number, None), Turn::None);
    }
}

#[test]
fn a_refused_client_opens_it_at_once_and_says_so() {
    let mut breaker = Breaker::default();
    let turn = breaker.hear(at(0), Health::ClientRefused, 1, None);
    assert_eq!(turn, Turn::Opened);
    assert_eq!(breaker.open().unwrap().reason, Reason::ClientRefused);
}

#[test]
fn a_lost_probe_is_replaced_and_its_late_end_does_not_count() {
    let mut breaker = open();
    let first = breaker.begin_probe(at(15), ANY).unwrap();
    let late = at(15) + PROBE_PATIENCE;
    let second = breaker.begin_probe(late, ANY).unwrap();
    assert_eq!(breaker.hear(late, Health::Good, 0, Some(first)), Turn::None);
    assert_eq!(
        breaker.hear(late, Health::Good, 0, Some(second)),
        Turn::Closed
    );
}

#[test]
fn a_probe_that_was_not_sent_is_free_again() {
    let mut breaker = open();
    let probe = breaker.begin_probe(at(15), ANY).unwrap();
    breaker.give_up_probe(at(16), probe);
    assert_eq!(breaker.look(at(16), ANY), Look::MayProbe);
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Pass(u16),
    Call(Health, u8),
    Back(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let health = prop_oneof![
        3 => Just(Health::Bad),
        2 => Just(Health::Good),
        1 => Just(Health::Nothing),
        1 => Just(Health::ClientRefused),
    ];
    let one = prop_oneof![
        2 => (0..400_u16).prop_map(Move::Pass),
        5 => (health, 0..4_u8).prop_map(|(health, who)| Move::Call(health, who)),
        1 => (0..600_u16).prop_map(Move::Back),
    ];
    proptest::collection::vec(one, 0..120)
}

proptest! {
    /// Whatever happens, also to the clock: nobody waits longer than the longest gap, at most one
    /// probe is under way, what is stored stays small, and TikTok's answers alone close it.
    #[test]
    fn it_always_lets_somebody_through_in_time(moves in moves()) {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for step in moves {
            match step {
                Move::Pass(seconds) => now = now + Duration::from_secs(u64::from(seconds)),
                Move::Back(seconds) => now = now - Duration::from_secs(u64::from(seconds)),
                Move::Call(health, who) => {
                    let before = breaker.state(now);
                    let who = u32::from(who);
                    let probe = match breaker.look(now, who) {
                        Look::Go => None,
                        Look::MayProbe => {
                            let probe = breaker.begin_probe(now, who);
                            prop_assert!(probe.is_some());
                            prop_assert_eq!(breaker.begin_probe(now, who), None);
                            probe
                        }
                        Look::Wait(until) => {
                            prop_assert!(until > now && until <= now + LONGEST_GAP);
                            continue;
                        }
                    };
                    let turn = breaker.hear(now, health, who, probe);
                    if turn == Turn::Closed {
                        prop_assert_eq!(health, Health::Good);
                        prop_assert!(probe.is_some());
                    }
                    if before == State::Closed && health == Health::Good {
                        prop_assert_eq!(breaker.state(now), State::Closed);
                    }
                }
            }
            let stored = serde_json::to_string(&breaker).unwrap();
            prop_assert!(stored.len() < 4_000);
            prop_assert_eq!(serde_json::from_str::<Breaker>(&stored).unwrap(), breaker.clone());
        }
    }

    /// One creator, however much of it fails, never makes another wait.
    #[test]
    fn one_creator_never_closes_the_way_for_another(
        calls in proptest::collection::vec((0..300_u16, any::<bool>()), 0..120),
    ) {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for (seconds, of_the_other) in calls {
            now = now + Duration::from_secs(u64::from(seconds));
            prop_assert_eq!(breaker.look(now, 2), Look::Go);
            if of_the_other {
                breaker.hear(now, Health::Good, 2, None);
                continue;
            }
            let probe = match breaker.look(now, 1) {
                Look::Go => None,
                Look::MayProbe => breaker.begin_probe(now, 1),
                Look::Wait(_) => continue,
            };
            breaker.hear(now, Health::Bad, 1, probe);
        }
    }

    /// Without a failure it is never written down, and never opens.
    #[test]
    fn a_healthy_tiktok_leaves_no_trace(calls in proptest::collection::vec(0..100_u32, 0..200)) {
        let mut breaker = Breaker::default();
        for (second, who) in calls.into_iter().enumerate() {
            let now = at(i64::try_from(second).unwrap());
            breaker.hear(now, Health::Good, who, None);
            prop_assert!(breaker.is_pristine());
        }
    }
}
