//! Creators: TikTok users as the simulator knows them, with the settings that decide what they may post.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::config::PostIdMode;
use crate::ids;

/// Privacy for everyone.
pub(crate) const PUBLIC: &str = "PUBLIC_TO_EVERYONE";
/// Privacy for the creator alone.
pub(crate) const SELF_ONLY: &str = "SELF_ONLY";

/// A creator and their settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Unique handle; names the account in this crate.
    pub username: String,
    /// Display name.
    pub nickname: String,
    /// Id within the app.
    pub open_id: String,
    /// Id across the developer's apps.
    pub union_id: String,
    /// Whether the account is private.
    pub private: bool,
    /// Whether the creator is banned from posting.
    pub banned: bool,
    /// Comments switched off.
    pub comment_disabled: bool,
    /// Duets switched off.
    pub duet_disabled: bool,
    /// Stitches switched off.
    pub stitch_disabled: bool,
    /// Longest video in seconds.
    pub max_duration_sec: u32,
    /// Profile text.
    pub bio: String,
    /// Verified badge.
    pub verified: bool,
    /// Followers.
    pub followers: u64,
    /// Accounts followed.
    pub following: u64,
    /// The TikTok app's version on the creator's phone; photo drafts need 31.8.
    pub app_version: (u32, u32),
    /// Privacy options instead of those that follow from `private`.
    pub privacy_options: Option<Vec<String>>,
    /// Daily cap of this creator instead of the app's.
    pub post_cap: Option<u32>,
    /// Posts made today through other API clients; they share the cap.
    pub posts_elsewhere: u32,
    /// Deviations for the next publishes, one each.
    pub scripts: VecDeque<Script>,
    /// When `creator_info` last answered, and the privacy options it gave.
    #[serde(skip)]
    pub(crate) last_info: Option<(i64, Vec<String>)>,
}

impl Account {
    /// The privacy levels that `creator_info` offers.
    pub fn privacy_level_options(&self) -> Vec<String> {
        if let Some(options) = &self.privacy_options {
            return options.clone();
        }
        let widest = if self.private {
            "FOLLOWER_OF_CREATOR"
        } else {
            PUBLIC
        };
        [widest, "MUTUAL_FOLLOW_FRIENDS", SELF_ONLY]
            .map(str::to_owned)
            .to_vec()
    }
}

/// What to create or change on an account; absent fields keep their value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountPatch {
    /// See [`Account::nickname`].
    pub nickname: Option<String>,
    /// See [`Account::private`].
    pub private: Option<bool>,
    /// See [`Account::banned`].
    pub banned: Option<bool>,
    /// See [`Account::comment_disabled`].
    pub comment_disabled: Option<bool>,
    /// See [`Account::duet_disabled`].
    pub duet_disabled: Option<bool>,
    /// See [`Account::stitch_disabled`].
    pub stitch_disabled: Option<bool>,
    /// See [`Account::max_duration_sec`].
    pub max_duration_sec: Option<u32>,
    /// See [`Account::bio`].
    pub bio: Option<String>,
    /// See [`Account::verified`].
    pub verified: Option<bool>,
    /// See [`Account::followers`].
    pub followers: Option<u64>,
    /// See [`Account::following`].
    pub following: Option<u64>,
    /// See [`Account::app_version`].
    pub app_version: Option<(u32, u32)>,
    /// See [`Account::privacy_options`].
    pub privacy_options: Option<Vec<String>>,
    /// See [`Account::post_cap`].
    pub post_cap: Option<u32>,
    /// See [`Account::posts_elsewhere`].
    pub posts_elsewhere: Option<u32>,
}

/// How one publish deviates from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Ends in FAILED with this reason.
    pub fail_reason: Option<String>,
    /// Never leaves processing.
    pub stuck: Option<bool>,
    /// When the post id is told.
    pub post_id: Option<PostIdMode>,
    /// Processing time in milliseconds.
    pub processing_ms: Option<i64>,
    /// Moderation time in milliseconds.
    pub moderation_ms: Option<i64>,
    /// How long `status/fetch` does not know the publish.
    pub status_lag_ms: Option<i64>,
}

/// All creators, by username.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_username: BTreeMap<String, Account>,
}

impl Accounts {
    /// Creates the account if it is new, and applies the patch.
    pub(crate) fn upsert(
        &mut self,
        client_key: &str,
        username: &str,
        patch: AccountPatch,
    ) -> Account {
        let account = self
            .by_username
            .entry(username.to_owned())
            .or_insert_with(|| fresh(client_key, username));
        apply(account, patch);
        account.clone()
    }

    pub(crate) fn get(&self, username: &str) -> Option<&Account> {
        self.by_username.get(username)
    }

    pub(crate) fn get_mut(&mut self, username: &str) -> Option<&mut Account> {
        self.by_username.get_mut(username)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Account> {
        self.by_username.values()
    }
}

fn fresh(client_key: &str, username: &str) -> Account {
    Account {
        username: username.to_owned(),
        nickname: username.to_owned(),
        open_id: ids::open_id(client_key, username),
        union_id: ids::union_id(username),
        private: false,
        banned: false,
        comment_disabled: false,
        duet_disabled: false,
        stitch_disabled: false,
        // The longest a documented example shows.
        max_duration_sec: 300,
        bio: String::new(),
        verified: false,
        followers: 1_000,
        following: 100,
        app_version: (40, 0),
        privacy_options: None,
        post_cap: None,
        posts_elsewhere: 0,
        scripts: VecDeque::new(),
        last_info: None,
    }
}

fn apply(account: &mut Account, patch: AccountPatch) {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut account.nickname, patch.nickname);
    set(&mut account.private, patch.private);
    set(&mut account.banned, patch.banned);
    set(&mut account.comment_disabled, patch.comment_disabled);
    set(&mut account.duet_disabled, patch.duet_disabled);
    set(&mut account.stitch_disabled, patch.stitch_disabled);
    set(&mut account.max_duration_sec, patch.max_duration_sec);
    set(&mut account.bio, patch.bio);
    set(&mut account.verified, patch.verified);
    set(&mut account.followers, patch.followers);
    set(&mut account.following, patch.following);
    set(&mut account.app_version, patch.app_version);
    set(&mut account.posts_elsewhere, patch.posts_elsewhere);
    if patch.privacy_options.is_some() {
        account.privacy_options = patch.privacy_options;
    }
    if patch.post_cap.is_some() {
        account.post_cap = patch.post_cap;
    }
}
