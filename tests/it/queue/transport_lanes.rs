//! What every transport promises of lanes: turns, limits, and leases that give them back.

use std::time::Duration;

use clipqueue::queue::transport::{Delivery, Pointer, Signal, Unknown};

use super::{
    fixture::LONG,
    transport::{FREE, LEASE, ONE_EACH, each, pointer, take},
};
use crate::support::eventually;

fn lanes(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.lane.as_str())
        .collect()
}

#[tokio::test]
async fn lanes_are_served_in_turn() {
    each(async |transport| {
        let mut pointers: Vec<Pointer> = (0..100).map(|n| pointer("big", n)).collect();
        pointers.push(pointer("small", 500));
        pointers.push(pointer("other", 501));
        transport.deliver(FREE, &pointers).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.extend(take(&transport, FREE, 1).await);
        }
        let mut seen = lanes(&seen);
        seen.sort_unstable();
        assert_eq!(seen, ["big", "other", "small"]);
        // A batch is shared out too, and what is left over goes to whoever has more.
        transport
            .deliver(FREE, &[pointer("small", 1)])
            .await
            .unwrap();
        let batch = take(&transport, FREE, 10).await;
        assert_eq!(batch.len(), 10);
        assert_eq!(lanes(&batch).iter().filter(|l| **l == "small").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_lane_never_exceeds_its_limit_and_opens_again() {
    each(async |transport| {
        let mut signals = transport.signals();
        let listening = async {
            while transport.is_shared() && signals.recv().await.unwrap() != Signal::Reconnected {}
        };
        tokio::time::timeout(LONG, listening).await.unwrap();
        let pointers: Vec<Pointer> = (0..5).map(|n| pointer("a", n)).collect();
        transport.deliver(ONE_EACH, &pointers).await.unwrap();
        transport
            .deliver(ONE_EACH, &[pointer("b", 9)])
            .await
            .unwrap();
        let mut first = take(&transport, ONE_EACH, 10).await;
        first.sort_by(|x, y| x.lane.cmp(&y.lane));
        assert_eq!(lanes(&first), ["a", "b"]);
        assert!(take(&transport, ONE_EACH, 10).await.is_empty());
        transport.finish(ONE_EACH, &first[..1]).await.unwrap();
        // Whoever waits is told that the lane opened.
        let told = async {
            loop {
                if signals.recv().await.unwrap() == Signal::Work("q".into()) {
                    return;
                }
            }
        };
        tokio::time::timeout(LONG, told).await.unwrap();
        assert_eq!(lanes(&take(&transport, ONE_EACH, 10).await), ["a"]);
    })
    .await;
}

#[tokio::test]
async fn an_adopted_pointer_is_finished_by_its_new_owner_alone() {
    each(async |transport| {
        let (a, waiting) = (pointer("a", 1), pointer("b", 2));
        let first = Delivery::from(&a);
        assert_eq!(transport.adopt("q", &first).await.unwrap(), None);
        transport
            .admit(ONE_EACH, std::slice::from_ref(&a), LEASE)
            .await
            .unwrap();
        let adopted = transport.adopt("q", &first).await.unwrap().unwrap();
        assert_eq!(transport.adopt("q", &first).await.unwrap(), None);
        transport
            .finish(ONE_EACH, std::slice::from_ref(&first))
            .await
            .unwrap();
        transport.give_back(ONE_EACH, &[first]).await.unwrap();
        let depth = transport.depth("q", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 1));
        transport.finish(ONE_EACH, &[adopted]).await.unwrap();
        let depth = transport.depth("q", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 0));
        // What only waits is nobody's to adopt.
        transport
            .deliver(ONE_EACH, std::slice::from_ref(&waiting))
            .await
            .unwrap();
        let waits = Delivery::from(&waiting);
        assert_eq!(transport.adopt("q", &waits).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_admitted_is_in_flight_unless_something_else_comes_first() {
    each(async |transport| {
        let admit = async |pointers: &[Pointer]| {
            let admitted = transport.admit(ONE_EACH, pointers, LEASE).await.unwrap();
            admitted.iter().map(|one| one.job).collect::<Vec<_>>()
        };
        let (a, b, c) = (pointer("a", 1), pointer("b", 2), pointer("c", 3));
        let also_a = pointer("a", 4);
        assert_eq!(
            admit(&[a.clone(), also_a.clone(), b.clone()]).await,
            [a.job, b.job]
        );
        let depth = transport.depth("q", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 2));
        assert_eq!(take(&transport, ONE_EACH, 10).await, []);
        // It is known by now.
        assert_eq!(admit(std::slice::from_ref(&a)).await, []);
        // What waits for a lane that is full holds nobody up; what may be served comes first.
        transport
            .deliver(ONE_EACH, std::slice::from_ref(&also_a))
            .await
            .unwrap();
        let waiting = pointer("d", 1);
        transport
            .deliver(ONE_EACH, std::slice::from_ref(&waiting))
            .await
            .unwrap();
        assert_eq!(admit(std::slice::from_ref(&c)).await, []);
        assert_eq!(lanes(&take(&transport, ONE_EACH, 10).await), ["d"]);
        transport.set_paused("q", true).await.unwrap();
        assert_eq!(admit(std::slice::from_ref(&c)).await, []);
        transport.set_paused("q", false).await.unwrap();
        assert_eq!(admit(std::slice::from_ref(&c)).await, [c.job]);
        // A newer nonce takes the pointer's place, and the lane's with it.
        let newer = Pointer {
            nonce: 2,
            ..b.clone()
        };
        assert_eq!(transport.deliver(ONE_EACH, &[newer]).await.unwrap(), 1);
        assert_eq!(take(&transport, ONE_EACH, 10).await[0].nonce, 2);
        transport
            .finish(ONE_EACH, &[Delivery::from(&a)])
            .await
            .unwrap();
        assert_eq!(lanes(&take(&transport, ONE_EACH, 10).await), ["a"]);
    })
    .await;
}

#[tokio::test]
async fn an_admitted_pointer_whose_lease_runs_out_is_handed_out() {
    each(async |transport| {
        let pointer = pointer("a", 1);
        let lease = Duration::from_millis(1);
        let one = std::slice::from_ref(&pointer);
        assert_eq!(
            transport.admit(ONE_EACH, one, lease).await.unwrap().len(),
            1
        );
        let taken = eventually(LEASE, "it comes back", async || {
            take(&transport, ONE_EACH, 1).await.pop()
        })
        .await;
        assert_eq!(taken, Delivery::from(&pointer));
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_runs_out_gives_the_pointer_and_the_lane_back() {
    each(async |transport| {
        let pointers = [pointer("a", 1), pointer("a", 2), pointer("b", 1)];
        transport.deliver(ONE_EACH, &pointers).await.unwrap();
        let short = Duration::from_millis(20);
        let first = transport
            .take(ONE_EACH, 10, short)
            .await
            .unwrap()
            .deliveries;
        assert_eq!(first.len(), 2);
        let kept: Vec<Delivery> = first.iter().filter(|d| d.lane == "b").cloned().collect();
        transport
            .extend(ONE_EACH, &kept, LEASE, Unknown::Stay)
            .await
            .unwrap();
        let again = eventually(Duration::from_secs(5), "the lease runs out", async || {
            let taken = take(&transport, ONE_EACH, 10).await;
            (!taken.is_empty()).then_some(taken)
        })
        .await;
        // The one whose lease ran out, in front of the one that waited behind it.
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].job, pointers[0].job);
        assert_eq!(transport.depth("q", &[]).await.unwrap().in_flight, 2);
    })
    .await;
}
