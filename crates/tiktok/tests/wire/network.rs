//! Broken, slow, oversized and misleading answers, told apart by what TikTok can have done.

use std::time::Duration;

use tiktok::{Class, Client, Error, Outcome, Sent};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::{Fake, Reply, assert_discreet, client, config, hasty_client, json, token};

async fn fails(client: &Client) -> Error {
    let error = client.creator_info(&token()).await.unwrap_err();
    assert_discreet(&error);
    error
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = fails(&client(&base)).await;
    assert!(
        matches!(
            error,
            Error::Transport {
                sent: Sent::NotSent,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        (error.class(), error.outcome()),
        (Class::Transient, Outcome::NotProcessed)
    );
}

#[tokio::test]
async fn an_unknown_host_was_never_asked() {
    // The name is reserved for never existing.
    let error = fails(&client("https://tiktok.invalid")).await;
    assert!(
        matches!(
            error,
            Error::Transport {
                sent: Sent::NotSent,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_of_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
        }
    });
    let error = fails(&client(&base)).await;
    assert!(
        matches!(
            error,
            Error::Transport {
                sent: Sent::MaybeSent,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        (error.class(), error.outcome()),
        (Class::Ambiguous, Outcome::Unknown)
    );
}

#[tokio::test]
async fn silence_is_of_unknown_outcome() {
    let fake = Fake::new([Reply::Silence]).await;
    // Long enough for the request to arrive on a busy machine.
    let client = hasty_client(&fake.base, |timeouts| {
        timeouts.call = Duration::from_secs(5)
    });
    let error = fails(&client).await;
    assert!(
        matches!(
            error,
            Error::Transport {
                sent: Sent::MaybeSent,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn cut_answers_are_of_unknown_outcome() {
    let whole = r#"{"data":{"privacy_level_options":["SELF_ONLY"]},"error":{"code":"ok"}}"#;
    for reply in [
        Reply::Cut(200, whole.into()),
        Reply::Cut(403, whole.into()),
        json(200, &whole[..40]),
    ] {
        let fake = Fake::new([reply]).await;
        let error = fails(&client(&fake.base)).await;
        assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
        assert_eq!(fake.count(), 1, "nothing is repeated");
    }
}

#[tokio::test]
async fn gateway_errors_keep_their_log_id() {
    for (status, body) in [
        (500, ""),
        (502, "<html>Bad gateway</html>"),
        (503, "{}"),
        (504, "[]"),
    ] {
        let headers = vec![("x-tt-logid", "2026HEADER".to_owned())];
        let fake = Fake::new([Reply::Full(status, headers, body.into())]).await;
        let error = fails(&client(&fake.base)).await;
        assert!(matches!(error, Error::Status { .. }), "{error:?}");
        assert_eq!(
            (error.class(), error.http_status()),
            (Class::Ambiguous, Some(status))
        );
        assert_eq!(error.logs().unwrap().any().unwrap().as_str(), "2026HEADER");
    }
    for (status, class) in [
        (401, Class::TokenRejected),
        (404, Class::BadRequest),
        (429, Class::RateLimited),
    ] {
        let fake = Fake::new([Reply::Full(status, vec![], "<html>".into())]).await;
        assert_eq!(fails(&client(&fake.base)).await.class(), class);
    }
}

#[tokio::test]
async fn large_answers_are_not_read() {
    let announced = Reply::Full(200, vec![], " ".repeat(2 * 1024 * 1024));
    for reply in [announced, Reply::Endless] {
        let fake = Fake::new([reply]).await;
        let error = fails(&client(&fake.base)).await;
        assert!(
            matches!(
                error,
                Error::BodyTooLarge {
                    limit: 1_048_576,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
    // At the cap exactly it still passes.
    let body = r#"{"data":{"privacy_level_options":[]},"error":{"code":"ok"}}"#;
    for (cap, fits) in [(body.len(), true), (body.len() - 1, false)] {
        let fake = Fake::new([json(200, body)]).await;
        let mut config = config(&fake.base);
        config.max_answer = cap;
        let client = Client::new(config).unwrap();
        assert_eq!(client.creator_info(&token()).await.is_ok(), fits);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Fake::new([]).await;
    for status in [301, 302, 307, 308] {
        let fake = Fake::new([Reply::Full(
            status,
            vec![("location", other.base.clone())],
            String::new(),
        )])
        .await;
        assert_eq!(fails(&client(&fake.base)).await.class(), Class::OurFault);
    }
    assert_eq!(other.count(), 0);
}
