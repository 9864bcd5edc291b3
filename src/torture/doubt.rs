//! When a post was in doubt, and whether a fault explains it.
//!
//! All times are simulated, by the clock that daemons have when nobody bends it.

use anyhow::Context as _;
use chrono::DateTime;
use serde_json::Value;
use tiktok_sim::{Endpoint, Entry};

use super::plan::LEASE_S;

/// How long a doubt may last when everything is well and there is evidence.
pub(super) const SETTLED_MS: i64 = 15 * 60 * 1_000;
/// How long before a fault, in real time, a request may have been sent whose answer the fault took.
const IN_FLIGHT_MS: i64 = 3_000;
/// How long after a fault, in real time, a call may still fail of it: the timeout of calls to TikTok
/// is three seconds, and a busy machine takes its time.
const TIMEOUT_MS: i64 = 5_000;
/// How long after a lease, simulated, its job is found and begun anew.
const RESCUE_MS: i64 = 60 * 1_000;

/// A time in which something was wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// How far a clock was ahead, which wrote the times of what it saw.
    pub(super) ahead_ms: i64,
}

/// A time for which a post was UNCONFIRMED.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) from_ms: i64,
    pub(super) to_ms: Option<i64>,
}

impl Doubt {
    /// The doubts of a timeline.
    pub(super) fn all<'a>(events: impl Iterator<Item = &'a Value>) -> anyhow::Result<Vec<Self>> {
        const DOUBT: &str = "UNCONFIRMED";
        let mut doubts: Vec<Self> = Vec::new();
        for event in events {
            let Some(to) = event["to"].as_str() else {
                continue;
            };
            let from = event["from"].as_str().unwrap_or_default();
            if (from == DOUBT) == (to == DOUBT) {
                continue;
            }
            let at = event["createdAt"].as_str().context("an event's time")?;
            let at_ms = DateTime::parse_from_rfc3339(at)?.timestamp_millis();
            if to == DOUBT {
                doubts.push(Self {
                    from_ms: at_ms,
                    to_ms: None,
                });
            } else if let Some(last) = doubts.last_mut() {
                last.to_ms = Some(at_ms);
            }
        }
        Ok(doubts)
    }

    /// For how long it lasted after everything was well at `healed_ms`.
    pub(super) fn after(&self, healed_ms: i64, now_ms: i64) -> i64 {
        self.to_ms.unwrap_or(now_ms) - self.from_ms.max(healed_ms)
    }

    /// Whether an answer past the commit point may have been lost: TikTok did not give one, or gave
    /// one of a fault's; or the last byte went out, or should have, while something else was wrong,
    /// and the doubt came within a lease of that. What goes out after the doubt began says nothing.
    pub(super) fn is_explained(&self, calls: &[&Entry], windows: &[Window], rate: u64) -> bool {
        // A request that was cut so early that nobody knows its range may have been the last one.
        let is_last = |(_, last, size)| last + 1 == size;
        let committing = calls.iter().filter(|call| call.range.is_none_or(is_last));
        let committing: Vec<&Entry> = committing.copied().collect();
        let lost = |call: &&Entry| !call.answered || call.fault.is_some();
        if committing.iter().any(lost) {
            return true;
        }
        let is_known =
            |call: &&&Entry| call.range.is_some() || call.endpoint == Endpoint::PhotoInit;
        let last = committing.iter().filter(is_known);
        let last: Vec<i64> = last.map(|call| call.at_ms).collect();
        self.comes_of(windows, &last, rate)
    }

    /// Whether one of the windows explains it, when last bytes arrived at these times.
    fn comes_of(&self, windows: &[Window], last: &[i64], rate: u64) -> bool {
        // Whose clock wrote the doubt's beginning is not known.
        let ahead = windows.iter().map(|window| window.ahead_ms);
        std::iter::once(0).chain(ahead).any(|ahead| {
            let began_ms = self.from_ms - ahead;
            let sent: Vec<i64> = last.iter().copied().filter(|at| *at <= began_ms).collect();
            let fits = |window: &Window| window.explains(began_ms, &sent, rate);
            windows.iter().any(fits)
        })
    }
}

impl Window {
    /// Whether a doubt that began then may come of what was wrong, when the last byte was `sent`.
    fn explains(&self, began_ms: i64, sent: &[i64], rate: u64) -> bool {
        let real = |ms: i64| ms * i64::try_from(rate).unwrap_or(1);
        let lease = i64::try_from(LEASE_S * 1_000).unwrap_or_default();
        let begins = self.from_ms - real(IN_FLIGHT_MS);
        let ends = self.to_ms + lease + real(TIMEOUT_MS);
        let in_time = sent.is_empty() || sent.iter().any(|at| (begins..=ends).contains(at));
        in_time && (begins..=ends + RESCUE_MS).contains(&began_ms)
    }

    /// Whether a call of that moment may have failed of it.
    pub(super) fn touches(&self, at_ms: i64, rate: u64) -> bool {
        let real = |ms: i64| ms * i64::try_from(rate).unwrap_or(1);
        (self.from_ms - real(IN_FLIGHT_MS)..=self.to_ms + real(TIMEOUT_MS)).contains(&at_ms)
    }
}

/// The inits of a creator's photos but those whose answer became another post's: an answer that was lost
/// names no post.
pub(super) fn photo_inits<'a>(
    calls: &'a [Entry],
    creator: &str,
    others: &[&str],
) -> Vec<&'a Entry> {
    calls
        .iter()
        .filter(|call| call.endpoint == Endpoint::PhotoInit)
        .filter(|call| call.account.as_deref() == Some(creator))
        .filter(|call| {
            let id = call.publish_id.as_deref();
            id.is_none_or(|id| !others.contains(&id))
        })
        .collect()
}

/// What TikTok called the attempts of a post.
pub(super) fn publish_ids(answer: &Value) -> Vec<&str> {
    let attempts = answer["attempts"].as_array().into_iter().flatten();
    attempts
        .filter_map(|attempt| attempt["publishId"].as_str())
        .collect()
}

/// The uploads that were made for a post.
pub(super) fn uploads<'a>(calls: &'a [Entry], answer: &Value) -> Vec<&'a Entry> {
    let ids = publish_ids(answer);
    calls
        .iter()
        .filter(|call| call.endpoint == Endpoint::Upload)
        .filter(|call| {
            call.publish_id
                .as_deref()
                .is_some_and(|id| ids.contains(&id))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn doubt(from_ms: i64, to_ms: Option<i64>) -> Doubt {
        Doubt { from_ms, to_ms }
    }

    #[test]
    fn a_timeline_tells_each_doubt() {
        let event = |from, to, at| json!({ "from": from, "to": to, "createdAt": at });
        let events = [
            event("UPLOADING", "UNCONFIRMED", "1970-01-01T00:00:01Z"),
            event("UNCONFIRMED", "UNCONFIRMED", "1970-01-01T00:00:02Z"),
            event("UNCONFIRMED", "PUBLISHED", "1970-01-01T00:00:03Z"),
            json!({ "from": null, "to": null, "createdAt": "1970-01-01T00:00:04Z" }),
            event("UPLOADING", "UNCONFIRMED", "1970-01-01T00:00:05Z"),
        ];
        let doubts = Doubt::all(events.iter()).unwrap();
        let times: Vec<_> = doubts.iter().map(|one| (one.from_ms, one.to_ms)).collect();
        assert_eq!(times, [(1_000, Some(3_000)), (5_000, None)]);
    }

    #[test]
    fn a_doubt_is_measured_from_the_healing_on() {
        assert_eq!(
            doubt(0, Some(20 * MINUTE)).after(10 * MINUTE, 0),
            10 * MINUTE
        );
        assert_eq!(
            doubt(15 * MINUTE, None).after(10 * MINUTE, 31 * MINUTE),
            16 * MINUTE
        );
    }

    #[test]
    fn a_doubt_needs_a_fault_of_its_time() {
        let window = Window {
            from_ms: 100 * MINUTE,
            to_ms: 101 * MINUTE,
            ahead_ms: 0,
        };
        let bent = Window {
            ahead_ms: 5 * MINUTE,
            ..window
        };
        let now = doubt(101 * MINUTE, None);
        assert!(now.is_explained(&[], &[window], 10));
        assert!(!now.is_explained(&[], &[], 10));
        let later = doubt(106 * MINUTE, None);
        assert!(!later.is_explained(&[], &[window], 10));
        assert!(later.is_explained(&[], &[bent], 10));
        assert!(!doubt(90 * MINUTE, None).is_explained(&[], &[window], 10));
    }

    #[test]
    fn an_init_whose_answer_became_another_post_is_that_ones() {
        let init = |seq: u64, id: Option<&str>| -> Entry {
            serde_json::from_value(json!({
                "seq": seq, "at_ms": 0, "endpoint": Endpoint::PhotoInit, "method": "POST",
                "path": "/", "account": "ada", "publish_id": id, "token": null, "summary": {},
                "status": 200, "code": "ok", "log_id": "", "bytes_in": 0, "range": null,
                "sha256": null, "fault": null, "answered": true, "expected": false, "broken": [],
            }))
            .unwrap()
        };
        let calls = [init(1, Some("one")), init(2, Some("two")), init(3, None)];
        let of = |creator, others: &[&str]| -> Vec<u64> {
            let inits = photo_inits(&calls, creator, others);
            inits.iter().map(|call| call.seq).collect()
        };
        assert_eq!(of("ada", &["two"]), [1, 3]);
        assert_eq!(of("ada", &[]), [1, 2, 3]);
        assert!(of("bob", &[]).is_empty());
    }

    #[test]
    fn an_answer_to_an_earlier_chunk_explains_no_doubt() {
        let upload = |first: u64, last: u64| -> Entry {
            serde_json::from_value(json!({
                "seq": 1, "at_ms": 100 * MINUTE, "endpoint": Endpoint::Upload, "method": "PUT",
                "path": "/", "account": "ada", "publish_id": "one", "token": null, "summary": {},
                "status": 500, "code": "internal", "log_id": "", "bytes_in": 0,
                "range": [first, last, 100], "sha256": null, "fault": "status", "answered": true,
                "expected": false, "broken": [],
            }))
            .unwrap()
        };
        let now = doubt(101 * MINUTE, None);
        assert!(!now.is_explained(&[&upload(0, 49)], &[], 10));
        assert!(now.is_explained(&[&upload(50, 99)], &[], 10));
    }

    #[test]
    fn what_is_sent_after_a_doubt_began_explains_nothing_away() {
        let window = Window {
            from_ms: 100 * MINUTE,
            to_ms: 101 * MINUTE,
            ahead_ms: 0,
        };
        let now = doubt(101 * MINUTE, None);
        // The process died between its mark and the last byte, which another one sent in the end.
        assert!(now.comes_of(&[window], &[110 * MINUTE], 10));
        assert!(now.comes_of(&[window], &[101 * MINUTE, 110 * MINUTE], 10));
        // The last byte went out long before anything was wrong.
        assert!(!now.comes_of(&[window], &[90 * MINUTE], 10));
    }
}
