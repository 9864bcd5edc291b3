//! TikTok's identifiers as types. Each is opaque text; none is ever a float.

use std::fmt;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
}

/// Longest identifier that is accepted. TikTok documents 64 characters for a publish id and nothing
/// for the others; more than this is not an identifier but an accident.
const MAX_LEN: usize = 256;

/// Digits of the largest 64-bit number.
const POST_ID_MAX_DIGITS: usize = 20;

fn is_opaque(text: &str) -> bool {
    (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_digits(text: &str) -> bool {
    (1..=POST_ID_MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks the form of an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] for an empty text, a too long one, or characters that cannot be in it.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { what: $what, rule: $rule })
                }
            }

            /// The identifier as TikTok wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
    };
}

id!(
    /// The handle of one publishing task, given by an init. Its prefix tells the kind of task but
    /// is not a contract, so nothing branches on it.
    PublishId, "a publish id", is_opaque, "1 to 256 printable ASCII characters"
);
id!(
    /// A user as one app sees them. It may hold dashes and underscores that belong to it.
    OpenId, "an open id", is_opaque, "1 to 256 printable ASCII characters"
);
id!(
    /// TikTok's reference for one request, which its support asks for.
    LogId, "a log id", is_opaque, "1 to 256 printable ASCII characters"
);
id!(
    /// A public post: what status and webhooks call post id, and the Display API video id. A number of
    /// up to 64 bits, above what a float holds exactly, so it is kept as digits. TikTok sends it as a
    /// JSON number or as a string.
    PostId, "a post id", is_digits, "1 to 20 digits"
);

impl From<u64> for PostId {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl PostId {
    /// Reads an id from a JSON number or string. `None` for anything else, above all for a number
    /// that only a float could hold: a rounded id would name a stranger's post.
    pub(crate) fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => Self::parse(text.as_str()).ok(),
            serde_json::Value::Number(number) => number.as_u64().map(Self::from),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_above_the_floats_stay_exact() {
        for text in [
            "9007199254740993",
            "7412345678901234567",
            "18446744073709551615",
        ] {
            let number: serde_json::Value = serde_json::from_str(text).unwrap();
            let string = serde_json::Value::String(text.to_owned());
            assert_eq!(PostId::from_json(&number).unwrap().as_str(), text);
            assert_eq!(PostId::from_json(&string).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_number_that_needs_a_float_is_no_id() {
        for text in [
            "7.4e18",
            "18446744073709551616",
            "-1",
            "true",
            "null",
            "[]",
            "\"\"",
            "\"7a\"",
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(PostId::from_json(&value), None, "{text}");
        }
    }

    #[test]
    fn opaque_ids_keep_their_dashes_and_refuse_white_space() {
        assert_eq!(
            OpenId::parse("-000Te-st_Id").unwrap().as_str(),
            "-000Te-st_Id"
        );
        assert!(OpenId::parse("").is_err());
        assert!(PublishId::parse("v_pub_file~v2-1.7 1").is_err());
        assert!(PublishId::parse("x".repeat(257)).is_err());
    }

    proptest! {
        #[test]
        fn every_u64_survives(number in any::<u64>()) {
            let value = serde_json::from_str(&number.to_string()).unwrap();
            prop_assert_eq!(PostId::from_json(&value), Some(PostId::from(number)));
        }
    }
}
