//! What somebody who cannot sign in writes. Pure.

use serde::{Deserialize, Serialize};

use crate::{
    domain::error::{Code, Refusal},
    mail::is_address,
};

/// TikTok's own limit is 24.
const MAX_NAME: usize = 64;
/// The longest link.
const MAX_LINK: usize = 300;
/// The longest description.
const MAX_TEXT: usize = 2000;
/// The most ids.
const MAX_JOBS: usize = 20;
/// The longest id.
const MAX_JOB: usize = 80;
/// The longest address, after RFC 5321.
const MAX_EMAIL: usize = 254;

/// What was written about the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The TikTok username, without `@` and in small letters.
    pub username: String,
    /// A link to the profile.
    pub profile_url: Option<String>,
    /// How the service was used.
    pub description: Option<String>,
    /// Ids of jobs or posts that they know.
    pub job_ids: Vec<String>,
}

/// A request as it comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NewRequest {
    /// See [`Details`].
    pub username: String,
    /// See [`Details`].
    pub profile_url: Option<String>,
    /// See [`Details`].
    pub description: Option<String>,
    /// See [`Details`].
    pub job_ids: Vec<String>,
    /// Where answers go.
    pub email: Option<String>,
}

impl NewRequest {
    /// What is wrong with it, or what is kept of it: the details, and the address.
    pub(super) fn read(self) -> Result<(Details, Option<String>), Vec<Refusal>> {
        let mut refusals = Vec::new();
        let username = normal(&self.username);
        if username.is_empty() {
            let text = "is needed: the TikTok username, as the profile shows it";
            refusals.push(Refusal::new("username", Code::Required, text));
        } else if username.len() > MAX_NAME || !username.chars().all(is_of_name) {
            let text = "is no TikTok username: letters, digits, dots and underscores";
            refusals.push(Refusal::new("username", Code::Invalid, text));
        }
        let filled = |text: Option<String>| {
            let text = text.map(|text| text.trim().to_owned());
            text.filter(|text| !text.is_empty())
        };
        let profile_url = filled(self.profile_url);
        let description = filled(self.description);
        let email = filled(self.email);
        let job_ids: Vec<String> = self
            .job_ids
            .iter()
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .collect();
        for (field, text, most) in [
            ("profileUrl", &profile_url, MAX_LINK),
            ("description", &description, MAX_TEXT),
            ("email", &email, MAX_EMAIL),
        ] {
            if text.as_ref().is_some_and(|text| text.len() > most) {
                let message = format!("must have at most {most} bytes");
                refusals.push(Refusal::new(field, Code::TooLong, message));
            }
        }
        if job_ids.len() > MAX_JOBS || job_ids.iter().any(|id| id.len() > MAX_JOB) {
            let text = "must be at most 20 ids of at most 80 bytes";
            refusals.push(Refusal::new("jobIds", Code::TooLong, text));
        }
        if email.as_ref().is_some_and(|email| !is_plain(email)) {
            let text = "is no e-mail address; leave it out to be told on the page alone";
            refusals.push(Refusal::new("email", Code::Invalid, text));
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let details = Details {
            username,
            profile_url,
            description,
            job_ids,
        };
        Ok((details, email))
    }
}

/// A username as it is compared.
pub(super) fn normal(name: &str) -> String {
    name.trim().trim_start_matches('@').to_lowercase()
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '.' || c == '_'
}

/// One bare address, without a name before it.
fn is_plain(email: &str) -> bool {
    let bare = !email.contains(['<', '>', '"', ',', ';', ' ']) && !email.contains(char::is_control);
    bare && is_address(email)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(username: &str) -> NewRequest {
        NewRequest {
            username: username.to_owned(),
            ..NewRequest::default()
        }
    }

    #[test]
    fn names_are_compared_without_signs_and_case() {
        let (details, email) = named("  @Zelda.Quixote ").read().unwrap();
        assert_eq!(details.username, "zelda.quixote");
        assert_eq!(email, None);
        for wrong in ["", "@", "two words", "a/b", &"a".repeat(65)] {
            assert!(named(wrong).read().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_one_address_and_nothing_else() {
        let with = |email: &str| NewRequest {
            email: Some(email.to_owned()),
            ..named("zelda")
        };
        assert_eq!(
            with("z@example.com").read().unwrap().1.unwrap(),
            "z@example.com"
        );
        assert_eq!(with("  ").read().unwrap().1, None);
        for wrong in [
            "z",
            "Z <z@example.com>",
            "a@b.c\r\nBcc: d@e.f",
            "a@b.c,d@e.f",
        ] {
            assert!(with(wrong).read().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(name in ".{0,80}", email in ".{0,80}") {
            let request = NewRequest { email: Some(email), ..named(&name) };
            let _ = request.read();
        }
    }
}
