//! How often TikTok lets us call, by name. Plain data.
//!
//! | budget | calls a minute | whose |
//! | --- | --- | --- |
//! | `creator_info` | 20 | the creator's |
//! | `video_init`, `inbox_video_init`, `photo_init` | 6 each | the creator's |
//! | `status_fetch` | 30 | the creator's |
//! | `cancel` | 30 | the creator's; TikTok names none, this one is ours |
//! | `user_info`, `video_list`, `video_query` | 600 each | the app's |
//!
//! TikTok counts per token. A refreshed token may or may not begin anew, so we count per account.
//! For the last three TikTok does not say whose they are; the app's is the stricter reading.

use clipqueue_entities::AccountId;
use tiktok::{Endpoint, limits::RATE_WINDOW};

use crate::queue::transport::Budget;

/// Cancellations of one creator a minute: TikTok documents no limit, and nobody needs more.
pub const CANCELS_PER_MINUTE: u32 = 30;

/// Whose calls share a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// One creator's.
    Account,
    /// All of the app's.
    App,
}

/// Every endpoint that has a budget, in the order in which they are shown.
pub const LIMITED: [Endpoint; 9] = [
    Endpoint::VideoInit,
    Endpoint::InboxVideoInit,
    Endpoint::PhotoInit,
    Endpoint::CreatorInfo,
    Endpoint::StatusFetch,
    Endpoint::Cancel,
    Endpoint::UserInfo,
    Endpoint::VideoList,
    Endpoint::VideoQuery,
];

/// Every endpoint that has a breaker: all of them.
pub const ENDPOINTS: [Endpoint; 12] = [
    Endpoint::Token,
    Endpoint::Revoke,
    Endpoint::UserInfo,
    Endpoint::CreatorInfo,
    Endpoint::VideoInit,
    Endpoint::InboxVideoInit,
    Endpoint::PhotoInit,
    Endpoint::ChunkUpload,
    Endpoint::StatusFetch,
    Endpoint::Cancel,
    Endpoint::VideoList,
    Endpoint::VideoQuery,
];

/// Calls a minute; none where TikTok sets no limit and neither do we.
pub fn per_minute(endpoint: Endpoint) -> Option<u32> {
    match endpoint {
        Endpoint::Cancel => Some(CANCELS_PER_MINUTE),
        other => other.per_minute(),
    }
}

/// Whose budget a call of `endpoint` uses.
pub fn owner(endpoint: Endpoint) -> Owner {
    match endpoint {
        Endpoint::UserInfo | Endpoint::VideoList | Endpoint::VideoQuery => Owner::App,
        Endpoint::Token
        | Endpoint::Revoke
        | Endpoint::CreatorInfo
        | Endpoint::VideoInit
        | Endpoint::InboxVideoInit
        | Endpoint::PhotoInit
        | Endpoint::ChunkUpload
        | Endpoint::StatusFetch
        | Endpoint::Cancel => Owner::Account,
    }
}

/// The budget that a call of `endpoint` for `account` uses.
pub fn of(endpoint: Endpoint, account: Option<AccountId>) -> Option<Budget> {
    let limit = per_minute(endpoint)?;
    let key = match (owner(endpoint), account) {
        (Owner::App, _) => format!("app:{endpoint}"),
        (Owner::Account, Some(account)) => format!("{endpoint}:{account}"),
        (Owner::Account, None) => return None,
    };
    Some(Budget {
        key,
        limit,
        window: RATE_WINDOW,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_tiktoks_is_a_budget() {
        let account = Some(AccountId::new());
        for endpoint in ENDPOINTS {
            let limited = per_minute(endpoint).is_some();
            assert_eq!(LIMITED.contains(&endpoint), limited, "{endpoint}");
            assert_eq!(of(endpoint, account).is_some(), limited, "{endpoint}");
        }
    }

    #[test]
    fn creators_share_only_what_is_the_apps() {
        let (one, two) = (Some(AccountId::new()), Some(AccountId::new()));
        for endpoint in LIMITED {
            let same = of(endpoint, one) == of(endpoint, two);
            assert_eq!(same, owner(endpoint) == Owner::App, "{endpoint}");
        }
    }
}
