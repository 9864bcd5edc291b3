//! A provider of identities, by OpenID Connect: the way to its page, and what its ID token says.
//!
//! The authorization code flow with PKCE (S256), state and nonce. What the provider tells of itself is
//! discovered below its issuer and kept for an hour ([`known`]); an ID token is believed by its signature
//! alone ([`token`]). It knows no operator and no role, and stores nothing: state, nonce and verifier are
//! the caller's to keep.

mod known;
mod token;

use std::sync::{Arc, Mutex};

use futures::{FutureExt as _, future::BoxFuture};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, TokenResponse as _,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreProviderMetadata,
        CoreRequestTokenError,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use token::Claims;

use self::known::Known;
use crate::{
    clock::Clock,
    config::Oidc,
    fetch::{FetchError, Patience, Trusted},
    secrets::sha256,
};

/// Bytes of randomness in a state and in a nonce.
const RANDOM: u32 = 32;
/// No document of a provider has more bytes.
const MAX_ANSWER: usize = 256 * 1024;

const NO_TOKENS: &str = "it names no token endpoint";

/// Our client of the provider.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why a sign-in came to nothing. No text repeats a code, a token or what the provider wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// It could not be asked.
    #[error("the provider cannot be asked: {0}")]
    Unreachable(#[from] FetchError),
    /// What it tells of itself is of no use.
    #[error("the provider is not usable: {0}")]
    Unusable(String),
    /// It did not take the code, or us.
    #[error("the provider does not exchange the code: {0}")]
    Refused(String),
    /// Its ID token is none, or not for this sign-in.
    #[error("the ID token is not believed: {0}")]
    NotBelieved(String),
}

/// A sign-in that begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The provider's page, with everything in it.
    pub url: Url,
    /// What comes back with the code.
    pub state: SecretString,
    /// What the ID token must hold.
    pub nonce: SecretString,
    /// What proves that whoever exchanges the code began the sign-in.
    pub verifier: SecretString,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Inner>);

/// Our client of HTTP, as the library wants one.
#[derive(Debug)]
struct Http(Trusted);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.0.send(request, MAX_ANSWER).boxed()
    }
}

#[derive(Debug)]
struct Inner {
    settings: Oidc,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: Http,
    clock: Clock,
    known: Mutex<Option<Arc<Known>>>,
}

impl Provider {
    /// The provider that `settings` name, which leads browsers back to `redirect`. Asks nobody yet.
    pub fn new(
        settings: Oidc,
        redirect: Url,
        patience: Patience,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let issuer = IssuerUrl::new(settings.issuer.clone())?;
        let http = Http(Trusted::new(settings.is_plain(), patience)?);
        Ok(Self(Arc::new(Inner {
            settings,
            issuer,
            redirect: RedirectUrl::from_url(redirect),
            http,
            clock,
            known: Mutex::new(None),
        })))
    }

    /// What is configured.
    pub fn settings(&self) -> &Oidc {
        &self.0.settings
    }

    /// Whether the provider can be asked and tells what is needed.
    pub async fn prove(&self) -> Result<(), OidcError> {
        let known = self.known().await?;
        match known.metadata.token_endpoint() {
            Some(_) => Ok(()),
            None => Err(OidcError::Unusable(NO_TOKENS.to_owned())),
        }
    }

    /// Begins a sign-in.
    pub async fn begin(&self) -> Result<Begun, OidcError> {
        let known = self.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&known.metadata);
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(RANDOM),
                || Nonce::new_random_len(RANDOM),
            )
            .set_pkce_challenge(challenge);
        // The library adds openid itself.
        let further = self.0.settings.scopes.iter();
        for scope in further.filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        Ok(Begun {
            url,
            state: state.into_secret().into(),
            nonce: nonce.secret().clone().into(),
            verifier: verifier.into_secret().into(),
        })
    }

    /// Exchanges the code of a sign-in, and gives what its ID token says, which must hold the nonce of
    /// that hash.
    pub async fn finish(
        &self,
        code: &SecretString,
        verifier: &SecretString,
        nonce_hash: &str,
    ) -> Result<Claims, OidcError> {
        let known = self.known().await?;
        let client = self.client(&known.metadata);
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
        let request = client
            .exchange_code(code)
            .map_err(|_| OidcError::Unusable(NO_TOKENS.to_owned()))?;
        let answer = request
            .set_pkce_verifier(verifier)
            .request_async(&self.0.http)
            .boxed()
            .await
            .map_err(not_exchanged)?;
        let Some(id_token) = answer.id_token() else {
            let text = match answer.scopes() {
                Some(scopes) if scopes.iter().all(|scope| scope.as_str() != "openid") => {
                    "there is none, for the scope openid was not granted"
                }
                _ => "there is none",
            };
            return Err(OidcError::NotBelieved(text.to_owned()));
        };
        let read = token::read(self, &known.metadata, id_token, nonce_hash);
        match read {
            Err(token::Unread::UnknownKey) => {
                let renewed = self.renewed(&known).await?;
                Ok(token::read(self, &renewed.metadata, id_token, nonce_hash)?)
            }
            read => Ok(read?),
        }
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let settings = &self.0.settings;
        let secret = settings.client_secret.as_ref();
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(settings.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(self.0.redirect.clone());
        // Basic is what is meant where nothing is said.
        let in_body = metadata
            .token_endpoint_auth_methods_supported()
            .is_some_and(|methods| {
                !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                    && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            });
        match in_body {
            true => client.set_auth_type(AuthType::RequestBody),
            false => client,
        }
    }
}

/// What stands for a nonce where it is stored.
pub fn nonce_hash(nonce: &str) -> String {
    hex::encode(sha256(nonce.as_bytes()))
}

fn not_exchanged(error: CoreRequestTokenError<FetchError>) -> OidcError {
    match error {
        RequestTokenError::Request(error) => OidcError::Unreachable(error),
        RequestTokenError::ServerResponse(answer) => {
            OidcError::Refused(plain_word(answer.error().as_ref()).to_owned())
        }
        // Both may quote what was answered, which may be a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            OidcError::Refused("its answer is not one of a token endpoint".to_owned())
        }
    }
}

/// A word of the provider's, if it is one of those that can be repeated anywhere.
pub fn plain_word(text: &str) -> &str {
    let is_plain = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_plain { text } else { "an unknown error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_word_of_the_providers_is_repeated() {
        assert_eq!(plain_word("invalid_grant"), "invalid_grant");
        for text in ["", "<b>", "two words", "UPPER", "a\nb", &"a".repeat(65)] {
            assert_eq!(plain_word(text), "an unknown error", "{text}");
        }
    }
}
