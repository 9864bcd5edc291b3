//! Budgets: sliding windows that hold across processes.

use std::time::Duration;

use clipqueue::queue::transport::{Acquired, Budget};
use clipqueue_entities::Timestamp;

use super::transport::each;

fn budget(key: &str, limit: u32) -> Budget {
    Budget {
        key: key.into(),
        limit,
        window: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn a_window_slides_and_is_never_exceeded() {
    each(async |transport| {
        let start = Timestamp::from_secs(1_900_000_000);
        let at = |secs: u64| Some(start + Duration::from_secs(secs));
        let three = [budget("token:1", 3)];
        for second in [0, 10, 20] {
            let answer = transport.acquire(&three, at(second)).await.unwrap();
            assert_eq!(answer, Acquired::Granted);
        }
        let answer = transport.acquire(&three, at(30)).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(30)));
        let other = [budget("token:2", 3)];
        assert_eq!(
            transport.acquire(&other, at(30)).await.unwrap(),
            Acquired::Granted
        );
        let answer = transport.acquire(&three, at(60)).await.unwrap();
        assert_eq!(answer, Acquired::Granted);
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
        let answer = transport.acquire(&both, now).await.unwrap();
        assert_eq!(answer, Acquired::Granted);
        let answer = transport.acquire(&both, now).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(60)));
        // The refusal took nothing from the wide one.
        let answer = transport.acquire(&both[..1], now).await.unwrap();
        assert_eq!(answer, Acquired::Granted);
        let never = [budget("zero", 0)];
        let answer = transport.acquire(&never, now).await.unwrap();
        assert_eq!(answer, Acquired::Wait(Duration::from_secs(60)));
        // Without a time it asks its own.
        let answer = transport.acquire(&[budget("own", 1)], None).await.unwrap();
        assert_eq!(answer, Acquired::Granted);
    })
    .await;
}
