//! Login Kit: the consent page, the callback, and the life of tokens.
//!
//! The life of a grant: [`Client::authorize_url`] sends the browser away with a state and a PKCE challenge;
//! the browser comes back with a query that [`Callback::parse`] reads; [`Client::exchange_code`] turns the code
//! into tokens; [`Client::refresh`] renews them; [`Client::revoke`] ends it. Nothing here remembers a state or
//! a verifier, or checks that a state is ours: that is the caller's.

use std::time::Duration;

pub use oauth2::{AuthorizationCode, CsrfToken, PkceCodeVerifier};
use secrecy::ExposeSecret;
use url::Url;

use crate::client::{Answer, Client};
use crate::config::join;
use crate::endpoint::Endpoint;
use crate::envelope::Opened;
use crate::error::{Error, Malformed};
use crate::fields::Fields;
use crate::ids::OpenId;
use crate::pkce;
use crate::scope::Scopes;
use crate::secrets::{AccessToken, RefreshToken};
use crate::text::clean;

/// Path of the consent page. Its predecessor without `v2` no longer works.
const AUTHORIZE_PATH: &str = "v2/auth/authorize/";
/// Longest description of a denial that is kept, in characters.
const DESCRIPTION_MAX_CHARS: usize = 300;

/// What the consent page is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Authorize<'a> {
    /// Where the browser goes afterwards: exactly as registered with TikTok.
    pub redirect_uri: &'a Url,
    /// The permissions to ask for. The creator can refuse each one.
    pub scopes: &'a Scopes,
    /// Comes back in the callback; binds it to this login.
    pub state: &'a CsrfToken,
    /// Comes back never; proves at the exchange that the login is ours.
    pub verifier: &'a PkceCodeVerifier,
    /// Show the page even to a browser that is logged in and has agreed before. Without it the creator cannot choose
    /// another account.
    pub always_ask: bool,
}

/// What the browser brought back.
#[derive(Debug)]
pub enum Callback {
    /// The creator agreed, perhaps to less than was asked for.
    Granted {
        /// To be exchanged, once and soon.
        code: AuthorizationCode,
        /// What was granted.
        scopes: Scopes,
        /// The state that was sent out.
        state: CsrfToken,
    },
    /// The creator (`access_denied`) or TikTok refused.
    Denied {
        /// TikTok's code.
        error: String,
        /// TikTok's words.
        description: String,
        /// The state that was sent out, if it came back.
        state: Option<CsrfToken>,
    },
}

/// Why a query is no callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the callback lacks `{0}`")]
pub struct InvalidCallback(&'static str);

/// Tokens as they came. Lifetimes count from the moment of the answer.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// For API calls.
    pub access_token: AccessToken,
    /// Life of the access token; [`crate::limits::ACCESS_TOKEN_LIFE`] is a safe guess if TikTok does not say.
    pub access_expires_in: Option<Duration>,
    /// For the next refresh. The one used before is dead as soon as this is there. `None` in an answer to a
    /// refresh means that the old one stays.
    pub refresh_token: Option<RefreshToken>,
    /// Life of the refresh token; [`crate::limits::REFRESH_TOKEN_LIFE`] is a safe guess if TikTok does not say.
    pub refresh_expires_in: Option<Duration>,
    /// What is granted; `None` if the answer does not say.
    pub scopes: Option<Scopes>,
}

/// Answer to a code exchange.
#[derive(Debug, Clone)]
pub struct Connected {
    /// Who agreed.
    pub open_id: OpenId,
    /// The first tokens.
    pub tokens: TokenSet,
}

/// Answer to a refresh.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// Whose tokens these are. A missing one must not cost the tokens, so it is optional.
    pub open_id: Option<OpenId>,
    /// The new tokens, to be stored before their first use.
    pub tokens: TokenSet,
}

impl Callback {
    /// Reads the query of the callback, percent-decoding it once.
    ///
    /// # Errors
    /// [`InvalidCallback`] if it has neither an error nor a code with a state.
    pub fn parse(query: &str) -> Result<Self, InvalidCallback> {
        let find = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        let state = find("state").map(CsrfToken::new);
        if let Some(error) = find("error") {
            return Ok(Self::Denied {
                error: clean(&error, DESCRIPTION_MAX_CHARS),
                description: clean(
                    &find("error_description").unwrap_or_default(),
                    DESCRIPTION_MAX_CHARS,
                ),
                state,
            });
        }
        Ok(Self::Granted {
            code: AuthorizationCode::new(find("code").ok_or(InvalidCallback("code"))?),
            scopes: Scopes::parse(&find("scopes").unwrap_or_default()),
            state: state.ok_or(InvalidCallback("state"))?,
        })
    }
}

impl Client {
    /// The address of the consent page to send a browser to.
    #[must_use]
    pub fn authorize_url(&self, ask: &Authorize<'_>) -> Url {
        let mut url = join(&self.config.authorize_base, AUTHORIZE_PATH);
        url.query_pairs_mut()
            .append_pair("client_key", &self.config.client_key)
            .append_pair("response_type", "code")
            .append_pair("scope", &ask.scopes.to_string())
            .append_pair("redirect_uri", ask.redirect_uri.as_str())
            .append_pair("state", ask.state.secret())
            .append_pair("code_challenge", &pkce::challenge(ask.verifier))
            .append_pair("code_challenge_method", pkce::METHOD)
            .append_pair("disable_auto_auth", if ask.always_ask { "1" } else { "0" });
        url
    }

    /// Exchanges the code of a callback. A code works once, so a lost answer means another login.
    ///
    /// # Errors
    /// [`crate::Class::GrantDead`] for a code that is wrong, used or expired, and what any call can end in.
    pub async fn exchange_code(
        &self,
        code: &AuthorizationCode,
        redirect_uri: &Url,
        verifier: &PkceCodeVerifier,
    ) -> Result<Answer<Connected>, Error> {
        let form = [
            ("client_key", self.config.client_key.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("code", code.secret()),
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", verifier.secret()),
        ];
        self.token(&form).await?.read(|fields| {
            Ok(Connected {
                tokens: tokens(&fields)?,
                open_id: open_id(&fields).ok_or(Malformed::Missing("open_id"))?,
            })
        })
    }

    /// Buys the next pair of tokens. The refresh token is spent by this, even if the answer is lost:
    /// [`crate::Class::Ambiguous`] leaves open whether the old one still works.
    ///
    /// # Errors
    /// [`crate::Class::GrantDead`] if the creator must connect again, and what any call can end in.
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> Result<Answer<Refreshed>, Error> {
        let form = [
            ("client_key", self.config.client_key.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        self.token(&form).await?.read(|fields| {
            Ok(Refreshed {
                tokens: tokens(&fields)?,
                open_id: open_id(&fields),
            })
        })
    }

    /// Ends the grant and removes the app from the creator's list. Needs an access token that still works: an
    /// expired one is refused and leaves the grant alive.
    ///
    /// # Errors
    /// What any call can end in. How TikTok answers for a grant that is gone already is not documented.
    pub async fn revoke(&self, token: &AccessToken) -> Result<Answer<()>, Error> {
        let form = [
            ("client_key", self.config.client_key.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("token", token.expose()),
        ];
        let mut raw = self.post_form(Endpoint::Revoke, &form).await?;
        if raw.is_empty_success() {
            raw.body = b"{}".to_vec();
        }
        raw.open_flat()?.read(|_| Ok(()))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Opened, Error> {
        self.post_form(Endpoint::Token, form).await?.open_flat()
    }
}

fn tokens(fields: &Fields) -> Result<TokenSet, Malformed> {
    let seconds = |name| fields.unsigned(name).map(Duration::from_secs);
    Ok(TokenSet {
        access_token: AccessToken::new(fields.need_filled("access_token")?),
        access_expires_in: seconds("expires_in"),
        refresh_token: fields.filled("refresh_token").map(RefreshToken::new),
        refresh_expires_in: seconds("refresh_expires_in"),
        scopes: fields.filled("scope").map(Scopes::parse),
    })
}

fn open_id(fields: &Fields) -> Option<OpenId> {
    fields
        .filled("open_id")
        .and_then(|text| OpenId::parse(text).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_is_decoded_exactly_once() {
        let query = "code=abc%2A0%21v%25215236.s1&scopes=user.info.basic%2Cvideo.publish&state=st";
        let Callback::Granted {
            code,
            scopes,
            state,
        } = Callback::parse(query).unwrap()
        else {
            panic!("granted");
        };
        assert_eq!(code.secret(), "abc*0!v%215236.s1");
        assert_eq!(scopes.to_string(), "user.info.basic,video.publish");
        assert_eq!(state.secret(), "st");
    }

    #[test]
    fn denials_and_broken_callbacks() {
        let denied =
            Callback::parse("error=access_denied&error_description=No%0Away&state=s").unwrap();
        let Callback::Denied {
            error,
            description,
            state,
        } = denied
        else {
            panic!("denied");
        };
        assert_eq!(
            (error.as_str(), description.as_str()),
            ("access_denied", "No way")
        );
        assert!(state.is_some());
        assert_eq!(Callback::parse("").unwrap_err(), InvalidCallback("code"));
        assert_eq!(
            Callback::parse("code=a").unwrap_err(),
            InvalidCallback("state")
        );
        assert_eq!(
            Callback::parse("code=&state=a").unwrap_err(),
            InvalidCallback("code")
        );
    }
}
