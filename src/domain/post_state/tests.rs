//! Properties of the table of states.

use proptest::prelude::*;

use super::*;

const EVENTS: [PostEvent; 22] = [
    PostEvent::Submitted,
    PostEvent::Started,
    PostEvent::Held,
    PostEvent::Released,
    PostEvent::Deferred,
    PostEvent::Refused,
    PostEvent::InitStarted,
    PostEvent::InitAccepted,
    PostEvent::AttemptAbandoned,
    PostEvent::BytesAcknowledged,
    PostEvent::AnswerLost,
    PostEvent::UploadResumed,
    PostEvent::TiktokProcessing,
    PostEvent::TiktokInbox,
    PostEvent::TiktokPublished,
    PostEvent::TiktokFailed,
    PostEvent::SeenPosted,
    PostEvent::SaidNotPosted,
    PostEvent::NeverFetched,
    PostEvent::Cancelled,
    PostEvent::Retried,
    PostEvent::DeadlinePassed,
];

const DELIVERIES: [Delivery; 2] = [Delivery::Push, Delivery::Pull];

/// Whether posts of that delivery ever come into `state`.
fn exists(delivery: Delivery, state: PostState) -> bool {
    delivery == Delivery::Push || state != PostState::Uploading
}

#[test]
fn every_state_but_the_first_is_reached_and_every_open_one_is_left() {
    for delivery in DELIVERIES {
        let there = || PostState::iter().filter(|state| exists(delivery, *state));
        for target in there().filter(|state| *state != PostState::Draft) {
            assert!(
                there().any(|from| EVENTS
                    .iter()
                    .any(|event| next(delivery, from, *event) == Ok(target))),
                "{delivery:?}: {target:?} is never reached"
            );
        }
        for state in there().filter(|state| !is_final(*state)) {
            assert!(
                EVENTS
                    .iter()
                    .any(|event| next(delivery, state, *event).is_ok_and(|to| to != state)),
                "{delivery:?}: {state:?} is never left"
            );
        }
    }
}

#[test]
fn a_published_post_stays_published() {
    for delivery in DELIVERIES {
        for event in EVENTS {
            if let Ok(to) = next(delivery, PostState::Published, event) {
                assert_eq!(to, PostState::Published, "{event:?}");
            }
        }
    }
}

/// Init of photos is their commit point: a lost answer is a doubt, never another try.
#[test]
fn a_pull_that_may_have_begun_is_doubted_and_never_repeated() {
    let pull = |event| next(Delivery::Pull, PostState::InitSent, event);
    assert_eq!(pull(PostEvent::AnswerLost), Ok(PostState::Unconfirmed));
    assert_eq!(pull(PostEvent::InitAccepted), Ok(PostState::Processing));
    assert!(pull(PostEvent::AttemptAbandoned).is_err());
    assert!(pull(PostEvent::Cancelled).is_err());
    assert!(pull(PostEvent::DeadlinePassed).is_err());
    // The bytes of a video are not there yet, so its init may be repeated.
    let push = |event| next(Delivery::Push, PostState::InitSent, event);
    assert_eq!(push(PostEvent::AttemptAbandoned), Ok(PostState::Preflight));
    assert!(push(PostEvent::AnswerLost).is_err());
    for state in PostState::iter() {
        assert!(next(Delivery::Push, state, PostEvent::NeverFetched).is_err());
        for event in EVENTS {
            assert_ne!(
                next(Delivery::Pull, state, event),
                Ok(PostState::Uploading),
                "{state:?} {event:?}"
            );
        }
    }
}

#[test]
fn a_doubt_is_settled_by_evidence_alone() {
    for (delivery, event) in DELIVERIES
        .into_iter()
        .flat_map(|one| EVENTS.map(|event| (one, event)))
    {
        let Ok(to) = next(delivery, PostState::Unconfirmed, event) else {
            continue;
        };
        let from_evidence = matches!(
            event,
            PostEvent::BytesAcknowledged
                | PostEvent::UploadResumed
                | PostEvent::TiktokProcessing
                | PostEvent::TiktokInbox
                | PostEvent::TiktokPublished
                | PostEvent::TiktokFailed
                | PostEvent::SeenPosted
                | PostEvent::SaidNotPosted
                | PostEvent::NeverFetched
        );
        assert!(from_evidence, "{event:?} takes a doubt to {to:?}");
    }
}

#[test]
fn tiktoks_late_word_is_taken_wherever_something_was_sent() {
    for delivery in DELIVERIES {
        for state in
            PostState::iter().filter(|state| *state != PostState::Draft && exists(delivery, *state))
        {
            let published = next(delivery, state, PostEvent::TiktokPublished);
            assert_eq!(published, Ok(PostState::Published));
            if state != PostState::Published {
                let inbox = next(delivery, state, PostEvent::TiktokInbox);
                assert_eq!(inbox, Ok(PostState::InInbox));
            }
        }
    }
}

proptest! {
    /// A second init needs proof that the first cannot post: between two `InitStarted` there is an
    /// abandoned attempt, a refusal before the commit point, TikTok's own failure, a pull that never
    /// came and never can, or a cancel.
    #[test]
    fn no_second_init_without_proof(
        pull in any::<bool>(),
        events in proptest::collection::vec(0..EVENTS.len(), 0..60),
    ) {
        let delivery = if pull { Delivery::Pull } else { Delivery::Push };
        let mut state = PostState::Draft;
        let mut open = false;
        for index in events {
            let event = EVENTS[index];
            let Ok(to) = next(delivery, state, event) else { continue };
            match event {
                PostEvent::InitStarted => {
                    prop_assert!(!open, "init while an attempt may still post");
                    open = true;
                }
                PostEvent::AttemptAbandoned => {
                    prop_assert!(!pull, "a pull cannot be abandoned");
                    open = false;
                }
                PostEvent::Refused
                | PostEvent::Deferred
                | PostEvent::Held
                | PostEvent::TiktokFailed
                | PostEvent::SaidNotPosted
                | PostEvent::NeverFetched
                | PostEvent::Cancelled => open = false,
                _ => {}
            }
            if past_commit_point(state) && past_commit_point(to) {
                prop_assert!(event != PostEvent::InitStarted);
            }
            prop_assert!(exists(delivery, to));
            state = to;
        }
    }
}
