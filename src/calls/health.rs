//! What the end of a call says about TikTok: pure, and apart from what it means for the caller.
//!
//! Only TikTok's own trouble counts against an endpoint: 5xx, silence, no connection. An answer that
//! refuses is an answer. A 4xx therefore never opens a breaker, however many there are.

use tiktok::{
    Error,
    error::{ErrorCode, OAuthCode, UploadRefusal},
};

use super::breaker::Health;

/// The gateway gave up waiting for our request: that may be our line as well as TikTok.
const REQUEST_TIMEOUT: u16 = 408;

/// What `ended` says about the endpoint that was called.
pub fn of<T>(ended: &Result<T, Error>) -> Health {
    match ended {
        Ok(_) => Health::Good,
        Err(error) => of_error(error),
    }
}

fn of_error(error: &Error) -> Health {
    match error {
        Error::OAuth {
            code: OAuthCode::InvalidClient | OAuthCode::UnauthorizedClient,
            ..
        } => Health::ClientRefused,
        // The status of OAuth errors means nothing: they come with HTTP 200 as well.
        Error::OAuth {
            code: OAuthCode::ServerError | OAuthCode::TemporarilyUnavailable,
            ..
        } => Health::Bad,
        Error::Api {
            code: ErrorCode::InternalError,
            http_status: ..400 | 500..,
            ..
        } => Health::Bad,
        Error::Api { http_status, .. }
        | Error::OAuth { http_status, .. }
        | Error::Status { http_status, .. } => of_status(*http_status),
        Error::Upload {
            refusal,
            http_status,
            ..
        } => match refusal {
            UploadRefusal::BadHeaders
            | UploadRefusal::Expired
            | UploadRefusal::NotFound
            | UploadRefusal::RangeMismatch { .. }
            | UploadRefusal::RateLimited => Health::Good,
            UploadRefusal::Other => of_status(*http_status),
        },
        Error::Transport { .. } | Error::Stalled { .. } => Health::Bad,
        // Something came back, and it was not to be used: no proof of either.
        Error::Decode { http_status, .. } | Error::BodyTooLarge { http_status, .. } => {
            match http_status {
                500.. => Health::Bad,
                _ => Health::Nothing,
            }
        }
        // Ours: nothing was sent, or not all of it.
        Error::Source { .. } | Error::HostNotAllowed { .. } | Error::InvalidRequest { .. } => {
            Health::Nothing
        }
    }
}

fn of_status(http_status: u16) -> Health {
    match http_status {
        500.. => Health::Bad,
        REQUEST_TIMEOUT => Health::Nothing,
        _ => Health::Good,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tiktok::{Endpoint, error::LogIds};

    use super::*;

    fn status(http_status: u16) -> Result<(), Error> {
        Err(Error::Status {
            endpoint: Endpoint::VideoInit,
            http_status,
            logs: LogIds::default(),
        })
    }

    proptest! {
        #[test]
        fn a_refusal_never_counts_against_tiktok(http_status in 400_u16..500) {
            prop_assert_ne!(of(&status(http_status)), Health::Bad);
        }

        #[test]
        fn a_failure_always_does(http_status in 500_u16..600) {
            prop_assert_eq!(of(&status(http_status)), Health::Bad);
        }
    }

    #[test]
    fn a_wrong_secret_is_the_apps_own_trouble() {
        let refused: Result<(), Error> = Err(Error::OAuth {
            endpoint: Endpoint::Token,
            code: OAuthCode::InvalidClient,
            message: String::new(),
            http_status: 401,
            logs: LogIds::default(),
        });
        assert_eq!(of(&refused), Health::ClientRefused);
    }
}
