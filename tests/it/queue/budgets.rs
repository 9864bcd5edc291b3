//! Budgets: sliding windows that hold across processes.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use clipqueue::{
    clock::Clock,
    queue::transport::{
        Acquired, Budget, Budgets as _, Standing, Transport as _, TransportError, Use, Used,
        memory::MemoryTransport,
    },
};
use clipqueue_entities::Timestamp;

use super::transport::each;

fn budget(key: &str, limit: u32) -> Budget {
    Budget {
        key: key.into(),
        limit,
        window: Duration::from_secs(60),
    }
}

fn granted(answer: Result<Acquired, TransportError>) -> Use {
    match answer.unwrap() {
        Acquired::Granted(of) => of,
        Acquired::Wait(wait) => panic!("it has to wait {wait:?}"),
    }
}

#[tokio::test]
async fn a_window_slides_and_is_never_exceeded() {
    each(async |transport| {
        let start = Timestamp::from_secs(1_900_000_000);
        let at = |secs: u64| Some(start + Duration::from_secs(secs));
        let three = [budget("token:1", 3)];
        for second in [0, 10, 20] {
            granted(transport.acquire(&three, at(second)).await);
        }
        let answer = transport.acquire(&three, at(30)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(30)));
        let other = [budget("token:2", 3)];
        granted(transport.acquire(&other, at(30)).await);
        granted(transport.acquire(&three, at(60)).await);
        let answer = transport.acquire(&three, at(61)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(9)));
    })
    .await;
}

#[tokio::test]
async fn budgets_are_taken_together_or_not_at_all() {
    each(async |transport| {
        let now = Some(Timestamp::from_secs(1_900_000_000));
        let both = [budget("wide", 2), budget("narrow", 1)];
        granted(transport.acquire(&both, now).await);
        let answer = transport.acquire(&both, now).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(60)));
        // The refusal took nothing from the wide one.
        granted(transport.acquire(&both[..1], now).await);
        let never = [budget("zero", 0)];
        let answer = transport.acquire(&never, now).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(60)));
        // Without a time it asks its own.
        granted(transport.acquire(&[budget("own", 1)], None).await);
    })
    .await;
}

#[tokio::test]
async fn a_use_counts_from_when_it_was_over_and_not_at_all_when_it_was_none() {
    each(async |transport| {
        let start = Timestamp::from_secs(1_900_000_000);
        let at = |secs: u64| Some(start + Duration::from_secs(secs));
        let one = [budget("settled", 1)];
        let keys = [one[0].key.clone()];
        let of = granted(transport.acquire(&one, at(0)).await);
        let settled = transport.settle_use(&keys, of, Used::Made, at(20)).await;
        settled.unwrap();
        let answer = transport.acquire(&one, at(60)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(20)));
        let of = granted(transport.acquire(&one, at(80)).await);
        let settled = transport.settle_use(&keys, of, Used::Unmade, at(81)).await;
        settled.unwrap();
        granted(transport.acquire(&one, at(82)).await);
        // A use that is long over is not brought back.
        let settled = transport.settle_use(&keys, of, Used::Made, at(83)).await;
        settled.unwrap();
        let answer = transport.acquire(&one, at(84)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(58)));
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_was_refused_is_spent_until_then() {
    each(async |transport| {
        let start = Timestamp::from_secs(1_900_000_000);
        let at = |secs: u64| Some(start + Duration::from_secs(secs));
        let few = [budget("refused", 3)];
        granted(transport.acquire(&few, at(0)).await);
        for _ in 0..3 {
            let wait = Duration::from_secs(61);
            transport.spend(&few[0], wait, at(10)).await.unwrap();
        }
        let answer = transport.acquire(&few, at(20)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(51)));
        let standing = transport.standing(&few, at(20)).await.unwrap();
        let spent = Standing {
            used: 3,
            next_in: Some(Duration::from_secs(51)),
        };
        assert_eq!(standing, [spent]);
        for _ in 0..3 {
            granted(transport.acquire(&few, at(71)).await);
        }
        let answer = transport.acquire(&few, at(72)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(59)));
    })
    .await;
}

#[tokio::test]
async fn looking_at_budgets_takes_nothing() {
    each(async |transport| {
        let start = Timestamp::from_secs(1_900_000_000);
        let at = |secs: u64| Some(start + Duration::from_secs(secs));
        let both = [budget("looked-at", 2), budget("untouched", 5)];
        granted(transport.acquire(&both[..1], at(0)).await);
        granted(transport.acquire(&both[..1], at(15)).await);
        let standing = transport.standing(&both, at(30)).await.unwrap();
        let full = Standing {
            used: 2,
            next_in: Some(Duration::from_secs(30)),
        };
        assert_eq!(standing, [full, Standing::default()]);
        let standing = transport.standing(&both, at(61)).await.unwrap();
        let half = Standing {
            used: 1,
            next_in: Some(Duration::from_secs(14)),
        };
        assert_eq!(standing, [half, Standing::default()]);
    })
    .await;
}

#[tokio::test]
async fn a_note_is_swapped_by_whoever_knows_it() {
    each(async |transport| {
        let life = Duration::from_secs(60);
        let names = ["one".to_owned(), "two".to_owned()];
        let swap = async |old: Option<&str>, new: Option<&str>| {
            let swapped = transport.swap_note("one", old, new, life).await;
            swapped.unwrap()
        };
        assert_eq!(transport.notes(&names).await.unwrap(), [None, None]);
        assert!(!swap(Some("something"), Some("a")).await);
        assert!(swap(None, Some("a")).await);
        assert!(!swap(None, Some("b")).await);
        assert!(swap(Some("a"), Some("b")).await);
        let read = transport.notes(&names).await.unwrap();
        assert_eq!(read, [Some("b".to_owned()), None]);
        assert!(swap(Some("b"), None).await);
        assert_eq!(transport.notes(&names).await.unwrap(), [None, None]);
    })
    .await;
}

#[tokio::test]
async fn in_memory_budgets_that_are_over_are_dropped_though_nobody_asks_for_them() {
    let transport = MemoryTransport::new(Clock::System);
    let start = Timestamp::from_secs(1_900_000_000);
    for (caller, after) in (0..3000).map(|caller| (caller, if caller < 1500 { 0 } else { 120 })) {
        let one = [budget(&format!("caller:{caller}"), 1)];
        let now = Some(start + Duration::from_secs(after));
        granted(transport.acquire(&one, now).await);
        // A look keeps nothing either.
        let looked = [budget(&format!("looked-at:{caller}"), 1)];
        transport.standing(&looked, now).await.unwrap();
    }
    let kept = Mutex::new(BTreeSet::new());
    let see = |place: &str, what: &[u8]| {
        if place == "budget" {
            let name = String::from_utf8(what.to_vec()).unwrap();
            kept.lock().unwrap().insert(name);
        }
    };
    transport.survey(&see).await.unwrap();
    let kept = kept.into_inner().unwrap();
    assert!(kept.contains("caller:2999"));
    assert!(!kept.contains("caller:0"), "{}", kept.len());
    assert_eq!(kept.len(), 1500);
}
