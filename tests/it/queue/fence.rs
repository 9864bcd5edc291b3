//! Fencing: an attempt that was given up elsewhere changes nothing.

use std::time::Duration;

use clipqueue::queue::{
    DEFAULT_LEASE, LeaseError, NewJob, Outcome, StopReason,
    transport::{Channel, Delivery, Pointer},
};
use clipqueue_entities::job::JobState;
use sea_orm::{ActiveModelTrait, IntoActiveModel, TransactionTrait};
use serde_json::json;

use super::fixture::{Stack, Toys, for_each_stack};

fn toys() -> Toys {
    Toys::default().with("done", |_| async { Ok(Outcome::Done) })
}

#[tokio::test]
async fn a_zombie_can_neither_prove_nor_settle() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let id = stack.add("done").await;
        steps.relay().await.unwrap();
        let zombie = steps.fetch(1).await.unwrap().remove(0);
        let lease = zombie.lease();
        lease.prove(&stack.db).await.unwrap();
        lease.progress(json!({ "percent": 50 })).await.unwrap();

        // It sleeps through its lease, and another attempt begins.
        stack.time.advance(DEFAULT_LEASE * 2);
        steps.rescue().await.unwrap();
        assert_eq!(steps.rescue().await.unwrap(), 1);
        assert_eq!(steps.relay().await.unwrap(), 1);
        let second = steps.fetch(1).await.unwrap().remove(0);
        assert!(second.job().fence > zombie.job().fence);
        assert_eq!(second.job().attempt, 2);

        assert!(matches!(
            lease.prove(&stack.db).await,
            Err(LeaseError::Lost)
        ));
        assert_eq!(lease.stop_reason(), Some(StopReason::Lost));
        let tx = stack.db.write().begin().await.unwrap();
        assert!(matches!(
            lease.prove_in_tx(&tx).await,
            Err(LeaseError::Lost)
        ));
        tx.rollback().await.unwrap();
        assert!(lease.progress(json!({ "percent": 99 })).await.is_err());
        assert_eq!(steps.end(zombie, Ok(Outcome::Done)).await, None);
        let row = stack.row(id).await;
        assert_eq!(row.state, JobState::Running);
        assert_eq!(row.progress, None, "a new attempt starts without progress");

        let state = steps.end(second, Ok(Outcome::Done)).await;
        assert_eq!(state, Some(JobState::Completed));
        let depth = stack.transport.depth("toys", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 0));
    })
    .await;
}

/// A claim does not wait for the disk, so that a power cut of the database server may undo it while
/// the process that made it lives on.
#[tokio::test]
async fn a_claim_that_the_database_forgot_proves_nothing() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let id = stack.add("done").await;
        steps.relay().await.unwrap();
        let before = stack.row(id).await;
        let forgotten = steps.fetch(1).await.unwrap().remove(0);
        let row = before.clone().into_active_model().reset_all();
        row.update(stack.db.write()).await.unwrap();
        assert!(forgotten.lease().prove(&stack.db).await.is_err());

        // The same pointer comes once more.
        let channel = Channel {
            queue: "toys",
            lane_limit: 0,
        };
        let delivery = Delivery {
            job: id,
            nonce: before.fence,
            lane: before.lane.clone(),
        };
        let pointer = Pointer {
            job: id,
            nonce: before.fence,
            lane: before.lane,
            rank: 0,
        };
        let transport = &stack.transport;
        transport.finish(channel, &[delivery]).await.unwrap();
        transport.deliver(channel, &[pointer]).await.unwrap();
        let second = steps.fetch(1).await.unwrap().remove(0);
        assert_eq!(second.job().attempt, forgotten.job().attempt);
        assert_ne!(second.job().fence, forgotten.job().fence);
        second.lease().prove(&stack.db).await.unwrap();

        let lease = forgotten.lease();
        let proof = lease.prove(&stack.db).await;
        assert!(matches!(proof, Err(LeaseError::Lost)));
        assert_eq!(steps.end(forgotten, Ok(Outcome::Done)).await, None);
        let state = steps.end(second, Ok(Outcome::Done)).await;
        assert_eq!(state, Some(JobState::Completed));
    })
    .await;
}

#[tokio::test]
async fn a_proof_keeps_the_lease_alive() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        stack.add("done").await;
        steps.relay().await.unwrap();
        let held = steps.fetch(1).await.unwrap().remove(0);
        for _ in 0..5 {
            stack.time.advance(DEFAULT_LEASE / 2);
            held.lease().prove(&stack.db).await.unwrap();
            assert_eq!(steps.rescue().await.unwrap(), 0);
        }
        // A lease that was renewed between two looks is not rescued by the second.
        stack.time.advance(DEFAULT_LEASE * 2);
        assert_eq!(steps.rescue().await.unwrap(), 0);
        held.lease().prove(&stack.db).await.unwrap();
        assert_eq!(steps.rescue().await.unwrap(), 0);
        let state = steps.end(held, Ok(Outcome::Done)).await;
        assert_eq!(state, Some(JobState::Completed));
    })
    .await;
}

#[tokio::test]
async fn a_pointer_that_is_delivered_twice_runs_once() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let mut other = stack.steps(&toys);
        let id = stack.add("done").await;
        steps.relay().await.unwrap();
        // The transport forgets, both processes notice, and both deliver.
        stack.lose_pointers().await;
        assert_eq!(steps.audit().await.unwrap(), 1);
        assert_eq!(steps.relay().await.unwrap(), 1);
        stack.lose_pointers().await;
        assert_eq!(other.audit().await.unwrap(), 1);
        assert_eq!(other.relay().await.unwrap(), 1);
        let first = steps.fetch(10).await.unwrap();
        let second = other.fetch(10).await.unwrap();
        assert_eq!(first.len() + second.len(), 1);
        for held in first.into_iter().chain(second) {
            assert_eq!(held.job().id, id);
            let state = steps.end(held, Ok(Outcome::Done)).await;
            assert_eq!(state, Some(JobState::Completed));
        }
    })
    .await;
}

#[tokio::test]
async fn a_pointer_that_got_lost_alone_is_found_by_the_audit() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        steps.audit().await.unwrap();
        let id = stack.add("done").await;
        let safe = stack.add("done").await;
        steps.relay().await.unwrap();
        // A worker takes both and dies before it claims one.
        let channel = clipqueue::queue::transport::Channel {
            queue: "toys",
            lane_limit: 0,
        };
        let lease = Duration::from_secs(60);
        let mut taken = stack
            .transport
            .take(channel, 10, lease)
            .await
            .unwrap()
            .deliveries;
        taken.retain(|delivery| delivery.job == id);
        stack.transport.finish(channel, &taken).await.unwrap();
        assert_eq!(steps.audit().await.unwrap(), 0, "it may be on its way");
        stack.time.advance(Duration::from_secs(6));
        assert_eq!(steps.audit().await.unwrap(), 1);
        assert_eq!(stack.drain(&toys).await.completed, 1);
        assert_eq!(stack.state(id).await, JobState::Completed);
        assert_eq!(stack.state(safe).await, JobState::Available);
    })
    .await;
}

#[tokio::test]
async fn a_job_is_not_claimed_before_its_time_nor_beyond_its_attempts() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let job = NewJob {
            max_attempts: 1,
            ..stack.toy("done")
        };
        let id = stack.insert(job).await.id();
        steps.relay().await.unwrap();
        drop(steps.fetch(1).await.unwrap());
        stack.time.advance(DEFAULT_LEASE * 2);
        steps.rescue().await.unwrap();
        steps.rescue().await.unwrap();
        let row = stack.row(id).await;
        assert_eq!((row.state, row.attempt), (JobState::Discarded, 1));
        assert_eq!(stack.drain(&toys).await.ran, 0);
    })
    .await;
}

#[tokio::test]
async fn a_pointer_with_another_nonce_claims_nothing() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let id = stack.add("done").await;
        let channel = clipqueue::queue::transport::Channel {
            queue: "toys",
            lane_limit: 0,
        };
        let stale = clipqueue::queue::transport::Pointer {
            job: id,
            nonce: 7,
            lane: String::new(),
            rank: 0,
        };
        stack.transport.deliver(channel, &[stale]).await.unwrap();
        assert!(steps.fetch(10).await.unwrap().is_empty());
        assert_eq!(stack.state(id).await, JobState::Available);
        assert_eq!(stack.drain(&toys).await.completed, 1);
    })
    .await;
}
