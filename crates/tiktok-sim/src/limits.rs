//! Sliding windows of one minute, one per endpoint and token (or creator).

use std::collections::{HashMap, VecDeque};

use crate::config::LimitConfig;
use crate::endpoint::Endpoint;

/// The length of the window.
const WINDOW_MS: i64 = 60_000;

/// The calls of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<(Endpoint, String), VecDeque<i64>>,
}

impl Limits {
    /// Counts a call, or says that the window is full. A refused call is not counted.
    pub(crate) fn admit(&mut self, endpoint: Endpoint, key: &str, now: i64, max: u32) -> bool {
        let window = self.windows.entry((endpoint, key.to_owned())).or_default();
        while window.front().is_some_and(|at| *at <= now - WINDOW_MS) {
            window.pop_front();
        }
        if window.len() >= max as usize {
            return false;
        }
        window.push_back(now);
        true
    }
}

/// Calls per minute at an endpoint; none where no limit is documented.
pub(crate) fn per_minute(config: &LimitConfig, endpoint: Endpoint) -> Option<u32> {
    match endpoint {
        Endpoint::CreatorInfo => Some(config.creator_info),
        Endpoint::VideoInit | Endpoint::InboxInit | Endpoint::PhotoInit => Some(config.init),
        Endpoint::Status => Some(config.status),
        Endpoint::Cancel => Some(config.cancel),
        Endpoint::UserInfo | Endpoint::VideoList | Endpoint::VideoQuery => Some(config.display),
        Endpoint::Authorize
        | Endpoint::OauthExchange
        | Endpoint::OauthRefresh
        | Endpoint::OauthClient
        | Endpoint::OauthRevoke
        | Endpoint::Upload
        | Endpoint::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut limits = Limits::default();
        assert!(limits.admit(Endpoint::Status, "a", 0, 2));
        assert!(limits.admit(Endpoint::Status, "a", 30_000, 2));
        assert!(!limits.admit(Endpoint::Status, "a", 59_999, 2));
        assert!(limits.admit(Endpoint::Status, "b", 59_999, 2));
        assert!(limits.admit(Endpoint::Status, "a", 60_000, 2));
        assert!(!limits.admit(Endpoint::Status, "a", 60_001, 2));
    }
}
