//! The permissions that a creator grants, one by one.

use std::collections::BTreeSet;
use std::fmt;

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Open id, name, avatar.
    UserInfoBasic,
    /// Handle, biography, link, verification.
    UserInfoProfile,
    /// Follower, like and video counts.
    UserInfoStats,
    /// The creator's public videos and their counters.
    VideoList,
    /// Drafts in the creator's inbox.
    VideoUpload,
    /// Direct posts.
    VideoPublish,
    /// A permission that this crate does not use.
    Other(String),
}

impl Scope {
    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::UserInfoBasic => "user.info.basic",
            Self::UserInfoProfile => "user.info.profile",
            Self::UserInfoStats => "user.info.stats",
            Self::VideoList => "video.list",
            Self::VideoUpload => "video.upload",
            Self::VideoPublish => "video.publish",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Scope {
    fn from(name: &str) -> Self {
        match name {
            "user.info.basic" => Self::UserInfoBasic,
            "user.info.profile" => Self::UserInfoProfile,
            "user.info.stats" => Self::UserInfoStats,
            "video.list" => Self::VideoList,
            "video.upload" => Self::VideoUpload,
            "video.publish" => Self::VideoPublish,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions, written by TikTok as a comma list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Reads a list separated by commas or spaces. Never fails: unknown names are kept.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        list.split([',', ' '])
            .filter(|name| !name.is_empty())
            .map(Scope::from)
            .collect()
    }

    /// Whether this permission was granted.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// What `wanted` asks for and this set lacks.
    #[must_use]
    pub fn missing(&self, wanted: &Self) -> Self {
        wanted.0.difference(&self.0).cloned().collect()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The permissions in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        let scopes = Scopes::parse("video.publish,user.info.basic, research.adlib");
        assert!(scopes.contains(&Scope::VideoPublish));
        assert!(scopes.contains(&Scope::Other("research.adlib".into())));
        assert_eq!(
            scopes.to_string(),
            "user.info.basic,video.publish,research.adlib"
        );
        assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
        let wanted = Scopes::parse("video.publish,video.upload");
        assert_eq!(scopes.missing(&wanted).to_string(), "video.upload");
        assert!(Scopes::parse("").is_empty());
    }
}
