//! What a provider tells of itself: its endpoints and its keys.
//!
//! Asked for when it is first needed, and again after an hour. A token that is signed with a key that is
//! not known yet has the keys fetched once more, at most once a minute: keys are changed by their owner
//! without a word, and whoever sends tokens of invented keys must not make us ask without end.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use clipqueue_entities::Timestamp;
use futures::FutureExt as _;
use openidconnect::{
    DiscoveryError,
    core::{CoreJsonWebKeySet, CoreProviderMetadata},
};

use super::{OidcError, Provider};
use crate::fetch::{FetchError, leads_here};

/// How long it is believed.
const LIFE: Duration = Duration::from_secs(3600);
/// Between two looks for new keys.
const KEYS_GAP: Duration = Duration::from_secs(60);

/// What is known of the provider, its keys included.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) metadata: CoreProviderMetadata,
    /// When the provider was asked.
    at: Timestamp,
    /// When its keys were asked for.
    keys_at: Timestamp,
}

impl Provider {
    /// What the provider tells, asked for when nothing recent is known.
    pub(super) async fn known(&self) -> Result<Arc<Known>, OidcError> {
        let now = self.0.clock.now();
        if let Some(known) = self.lock().as_ref()
            && now.since(known.at) < LIFE
        {
            return Ok(Arc::clone(known));
        }
        let metadata = CoreProviderMetadata::discover_async(self.0.issuer.clone(), &self.0.http)
            .boxed()
            .await
            .map_err(unusable)?;
        let page = metadata.authorization_endpoint().url();
        if page.scheme() != "https" && !(self.0.settings.is_plain() && leads_here(page)) {
            let text = "its page to sign in is not https";
            return Err(OidcError::Unusable(text.to_owned()));
        }
        let known = Arc::new(Known {
            metadata,
            at: now,
            keys_at: now,
        });
        *self.lock() = Some(Arc::clone(&known));
        Ok(known)
    }

    /// What is known with the keys of now, unless they were asked for a moment ago.
    pub(super) async fn renewed(&self, before: &Known) -> Result<Arc<Known>, OidcError> {
        let now = self.0.clock.now();
        {
            let mut kept = self.lock();
            let known = kept.as_ref();
            let keys_at = known.map_or(before.keys_at, |known| known.keys_at);
            if let Some(known) = known
                && now.since(keys_at) < KEYS_GAP
            {
                // Somebody else may have found the key meanwhile.
                return Ok(Arc::clone(known));
            }
            // Whoever comes while we ask does not ask as well, and nor does anybody after a failure.
            *kept = Some(Arc::new(Known {
                metadata: before.metadata.clone(),
                at: before.at,
                keys_at: now,
            }));
        }
        let keys = CoreJsonWebKeySet::fetch_async(before.metadata.jwks_uri(), &self.0.http)
            .boxed()
            .await
            .map_err(unusable)?;
        let known = Arc::new(Known {
            metadata: before.metadata.clone().set_jwks(keys),
            at: before.at,
            keys_at: now,
        });
        *self.lock() = Some(Arc::clone(&known));
        Ok(known)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Known>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In our words: the provider's own may be long, and anything.
fn unusable(error: DiscoveryError<FetchError>) -> OidcError {
    match error {
        DiscoveryError::Request(error) => OidcError::Unreachable(error),
        DiscoveryError::Response(status, ..) if status.is_server_error() => {
            OidcError::Unreachable(FetchError::Status(status.as_u16()))
        }
        DiscoveryError::Response(status, ..) => {
            OidcError::Unusable(format!("it answers {status}, or not with JSON"))
        }
        DiscoveryError::Parse(error) => {
            OidcError::Unusable(format!("a document of it is wrong at {}", error.path()))
        }
        DiscoveryError::Validation(_) => {
            OidcError::Unusable("it names another issuer than console.oidc.issuer".to_owned())
        }
        _ => OidcError::Unusable("it cannot be discovered".to_owned()),
    }
}
