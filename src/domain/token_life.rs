//! How long a token must live for what is about to begin: pure.
//!
//! Nothing is begun with a token that may end in the middle of it. A token that is good but too short
//! is replaced first, which costs no attempt, and serves everything short until then.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp,
    account_token::{self, TokenState},
};

/// A token that ends within this time is not used for anything: a call must be able to finish.
const SPARE: Duration = Duration::from_secs(60);
/// Refresh when less than a fifth of a two-hour life is left; the cron runs more often than that.
pub const REFRESH_AHEAD: Duration = Duration::from_secs(24 * 60);
/// A pair of this age has not been worn out, and no better one can be had.
const YOUNG: Duration = Duration::from_secs(60);
/// Bytes a second that an upload makes at the least: TikTok's largest file within most of the hour that
/// its upload address lives.
const SLOWEST_UPLOAD: u64 = 1_250_000;
/// What checks, init and TikTok's first look take beside the upload.
const AROUND_UPLOAD: Duration = Duration::from_secs(5 * 60);

/// How long a token must live for a file of `size` bytes to be sent with it, from beginning to end.
pub fn needed_for(size: u64) -> Duration {
    AROUND_UPLOAD + Duration::from_secs(size.div_ceil(SLOWEST_UPLOAD))
}

/// When a token must not end before, if it is `needed` from `now` on.
pub fn end(now: Timestamp, needed: Duration) -> Timestamp {
    now + SPARE + needed
}

/// Whether the access token of a pair lives longer than it is `needed`. A new one is taken in any case:
/// where TikTok gives short lives, a refresh would not end.
pub fn outlives(row: &account_token::Model, now: Timestamp, needed: Duration) -> bool {
    let alive = row.access_expires_at > end(now, Duration::ZERO);
    alive && (row.access_expires_at > end(now, needed) || is_new(row, now))
}

/// Whether a pair was stored a moment ago.
pub fn is_new(row: &account_token::Model, now: Timestamp) -> bool {
    now.since(row.refreshed_at) < YOUNG
}

/// Whether a pair needs no refresh: it is good, and lives long enough for everybody who asked.
pub fn suffices(row: &account_token::Model, now: Timestamp) -> bool {
    let wanted = row
        .wanted_until
        .is_none_or(|until| row.access_expires_at > until);
    row.state == TokenState::Fresh
        && row.access_expires_at > now + REFRESH_AHEAD
        && (wanted || is_new(row, now))
}

#[cfg(test)]
mod tests {
    use clipqueue_entities::{AccountId, Sealed};
    use proptest::prelude::*;
    use tiktok::limits::{ACCESS_TOKEN_LIFE, UPLOAD_URL_LIFE, VIDEO_MAX_BYTES};

    use super::*;

    fn pair(refreshed_at: Timestamp, life: Duration) -> account_token::Model {
        account_token::Model {
            account_id: AccountId::new(),
            generation: 1,
            access_sealed: Sealed(Vec::new()),
            access_expires_at: refreshed_at + life,
            refresh_sealed: Sealed(Vec::new()),
            refresh_expires_at: refreshed_at + life,
            state: TokenState::Fresh,
            refreshed_at,
            wanted_until: None,
        }
    }

    #[test]
    fn the_largest_file_fits_into_a_tokens_life_and_into_its_upload_address() {
        let needed = needed_for(VIDEO_MAX_BYTES);
        assert!(needed < UPLOAD_URL_LIFE, "{needed:?}");
        assert!(needed + REFRESH_AHEAD < ACCESS_TOKEN_LIFE);
    }

    proptest! {
        /// Whatever TikTok gives and whoever asks: a refresh is never asked for again right after one,
        /// so that short lives cannot make it spin, and a token that is used is alive.
        #[test]
        fn one_refresh_is_enough(life in 90_u64..200_000, size in 0..VIDEO_MAX_BYTES, age in 0_u64..200_000) {
            let start = Timestamp::from_secs(1_900_000_000);
            let needed = needed_for(size);
            let row = pair(start, Duration::from_secs(life));
            prop_assert!(outlives(&row, start, needed));
            let now = start + Duration::from_secs(age);
            if outlives(&row, now, needed) {
                prop_assert!(row.access_expires_at > now);
                if age >= 60 {
                    prop_assert!(row.access_expires_at > now + needed);
                }
            }
            // What is wanted is what a refresh then gives, if TikTok gives it at all.
            let wanted = account_token::Model { wanted_until: Some(end(now, needed)), ..row };
            if suffices(&wanted, now) && age >= 60 {
                prop_assert!(outlives(&wanted, now, needed));
            }
        }
    }
}
