//! Accepts connections and ends them.
//!
//! Instead of `axum::serve`, which lets a client take for ever over its headers and waits for ever at
//! the end. HTTP/1.1 alone: TLS and HTTP/2 are the proxy's.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long a client may take to send the head of a request, and how long an idle connection stays
/// open. Longer than the minute after which proxies usually drop theirs, so that they do it first.
const HEAD: Duration = Duration::from_secs(75);
/// Connections that are still busy this long after the stop are cut.
const GRACE: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a request's connection: a client, or the proxy before us.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves `router` until `stop`; then ends idle connections, and busy ones after their answer.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, HEAD).await;
}

async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    head: Duration,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let (http, router) = (http.clone(), router.clone());
                connections.spawn(talk(http, router, stream, Peer(peer), stop.clone()));
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("open connections were cut");
    }
}

/// Answers the requests of one connection until either side is done with it.
async fn talk(
    http: http1::Builder,
    router: Router,
    stream: TcpStream,
    peer: Peer,
    stop: CancellationToken,
) {
    // Small answers should not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: hyper::Request<_>| -> Request {
        request.extensions_mut().insert(peer);
        request.map(Body::new)
    });
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The client went away before it was served.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_client_that_never_ends_its_headers_is_cut_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let limit = Duration::from_millis(200);
        let server = tokio::spawn(serve_with(listener, router, stop.clone(), limit));

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            .await
            .unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"));

        // Both reads end because the server closes; without a limit they would hang.
        let patience = Duration::from_secs(10);
        for stream in [&mut slow, &mut silent] {
            let mut rest = Vec::new();
            let read = tokio::time::timeout(patience, stream.read_to_end(&mut rest)).await;
            assert!(read.is_ok(), "the connection is still open");
            assert!(!rest.starts_with(b"HTTP/1.1 200"));
        }
        stop.cancel();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
