//! Hostile addresses and servers: each fails cleanly, with the word for what it did, and before
//! anything inside was asked.

use std::time::Duration;

use clipqueue::fetch::{FetchError, Patience, Rest, UrlProblem};
use futures::StreamExt as _;
use url::Url;

use super::server::{Answer, HOST, LONG, Names, SHORT, Server, fetcher, strict};

/// More than any body that is read here.
const ENOUGH: usize = 64 * 1024;

async fn hello() -> Server {
    Server::start(|_| Answer::whole("200 OK", "", b"hello")).await
}

#[tokio::test]
async fn names_that_lead_inside_are_never_connected_to() {
    let server = hello().await;
    let names = Names::new();
    let fetcher = strict(&names, server.port);
    for inside in [
        &["127.0.0.1"][..],
        &["::1"],
        &["0.0.0.0"],
        &["10.0.0.1"],
        &["100.64.0.1"],
        &["169.254.169.254"],
        &["192.168.0.1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::1"],
        &["fe80::1"],
        &["fd00:ec2::254"],
        // Mixed answers, in either order: one good address does not vouch for the others.
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "8.8.8.8"],
        &["2606:4700::1111", "::1"],
    ] {
        names.lead(HOST, &[inside]);
        let url: Url = format!("https://{HOST}:{}/", server.port).parse().unwrap();
        let answer = fetcher.get(&url, None).await;
        assert_eq!(answer.err(), Some(FetchError::Inside), "{inside:?}");
        let posted = fetcher.post(&url, &[], String::new()).await;
        assert_eq!(posted, Err(FetchError::Inside), "{inside:?}");
    }
    names.lead(HOST, &[&[]]);
    let url: Url = format!("https://{HOST}:{}/", server.port).parse().unwrap();
    let answer = fetcher.get(&url, None).await;
    assert_eq!(answer.err(), Some(FetchError::Unresolved));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn production_asks_neither_this_machine_nor_plain_http_nor_odd_ports() {
    let server = hello().await;
    let fetcher = strict(&Names::new(), server.port);
    for (text, problem) in [
        (
            format!("http://127.0.0.1:{}/", server.port),
            UrlProblem::Scheme,
        ),
        (
            format!("https://127.0.0.1:{}/", server.port),
            UrlProblem::Host,
        ),
        (format!("https://[::1]:{}/", server.port), UrlProblem::Host),
        (
            format!("https://2130706433:{}/", server.port),
            UrlProblem::Host,
        ),
        (
            format!("https://localhost:{}/", server.port),
            UrlProblem::Host,
        ),
        (
            format!("https://u:p@{HOST}:{}/", server.port),
            UrlProblem::Credentials,
        ),
        (format!("https://{HOST}:22/"), UrlProblem::Port),
    ] {
        let url: Url = text.parse().unwrap();
        let answer = fetcher.get(&url, None).await;
        assert_eq!(answer.err(), Some(FetchError::Url(problem)), "{text}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn plain_http_reaches_this_machine_alone() {
    let server = hello().await;
    let names = Names::new();
    names.lead(HOST, &[&["8.8.8.8"]]);
    // Where development may ask this machine, http still leads nowhere else.
    let answer = fetcher(&names, LONG).get(&server.url("/"), None).await;
    assert_eq!(answer.err(), Some(FetchError::Inside));
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_connection_goes_where_it_led() {
    let server = hello().await;
    let names = Names::new();
    // A second look would lead inside; there is none.
    names.lead(HOST, &[&["127.0.0.1"], &["10.0.0.1"]]);
    let fetcher = fetcher(&names, LONG);
    let body = fetcher.get_small(&server.url("/"), ENOUGH).await.unwrap();
    assert_eq!(body, b"hello");
    assert_eq!(names.asked(), 1);
    // The next request is judged anew, with no connection left over from the first.
    let again = fetcher.get_small(&server.url("/"), ENOUGH).await;
    assert_eq!(again, Err(FetchError::Inside));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_judged_like_the_first() {
    let names = Names::new();
    names.lead("inside.example.com", &[&["10.0.0.1"]]);
    names.lead("mixed.example.com", &[&["127.0.0.1", "192.168.0.1"]]);
    let scheme = FetchError::Url(UrlProblem::Scheme);
    let host = FetchError::Url(UrlProblem::Host);
    for (location, error) in [
        ("Location: http://10.0.0.1/\r\n", host),
        (
            "Location: http://169.254.169.254/latest/meta-data/\r\n",
            host,
        ),
        ("Location: http://0xa9fea9fe/\r\n", host),
        ("Location: http://[::ffff:10.0.0.1]/\r\n", host),
        ("Location: //10.1/\r\n", host),
        ("Location: http://metadata.google.internal/\r\n", host),
        (
            "Location: http://inside.example.com/\r\n",
            FetchError::Inside,
        ),
        (
            "Location: http://mixed.example.com/\r\n",
            FetchError::Inside,
        ),
        (
            "Location: http://nowhere.example.com/\r\n",
            FetchError::Unresolved,
        ),
        ("Location: ftp://films.example.com/\r\n", scheme),
        ("Location: file:///etc/passwd\r\n", scheme),
        (
            "Location: http://u:p@films.example.com/\r\n",
            FetchError::Url(UrlProblem::Credentials),
        ),
        ("Location: http://\r\n", FetchError::Redirects),
        ("", FetchError::Redirects),
        // For ever.
        ("Location: /again\r\n", FetchError::Redirects),
    ] {
        let server = Server::start(move |_| Answer::whole("302 Found", location, b"")).await;
        let answer = fetcher(&names, LONG).get(&server.url("/"), None).await;
        assert_eq!(answer.err(), Some(error), "{location}");
        assert!(server.connections() <= 6, "{location}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_between_hops_is_refused() {
    let server = Server::start(|_| Answer::whole("307 Moved", "Location: /next\r\n", b"")).await;
    let names = Names::new();
    names.lead(HOST, &[&["127.0.0.1"], &["169.254.169.254"]]);
    let answer = fetcher(&names, LONG).get(&server.url("/"), None).await;
    assert_eq!(answer.err(), Some(FetchError::Inside));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_honest_redirect_is_followed_and_a_post_is_not_carried_on() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/start" => Answer::whole("301 Moved", "Location: end?x=1\r\n", b""),
        _ => Answer::whole("200 OK", "", b"there"),
    })
    .await;
    let fetcher = fetcher(&Names::new(), LONG);
    let fetched = fetcher.get(&server.url("/start"), None).await.unwrap();
    assert_eq!(fetched.length, Some(5));
    assert_eq!(server.asked()[1].path, "/end?x=1");
    let small = fetcher.get_small(&server.url("/start"), ENOUGH).await;
    assert_eq!(small, Err(FetchError::Redirects));
    let posted = fetcher
        .post(&server.url("/start"), &[], "{}".to_owned())
        .await;
    assert_eq!(posted, Ok(301));
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn answers_that_lie_or_never_end_fail_cleanly() {
    const HUGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    let bomb = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
    for (text, error) in [
        // Shorter than it says.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            FetchError::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            FetchError::Broken,
        ),
        (HUGE, FetchError::Broken),
        ("SSH-2.0-OpenSSH_9.9\r\n", FetchError::Broken),
        ("", FetchError::Broken),
        ("HTTP/1.1 200 OK\r\n", FetchError::Broken),
        (bomb, FetchError::Encoded),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: identity, br\r\n\r\n",
            FetchError::Encoded,
        ),
        (
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-4/9\r\n\r\n",
            FetchError::Status(206),
        ),
        ("HTTP/1.1 206 Partial\r\n\r\n", FetchError::Status(206)),
        ("HTTP/1.1 404 Not Found\r\n\r\n", FetchError::Status(404)),
        ("HTTP/1.1 204 No Content\r\n\r\n", FetchError::Status(204)),
    ] {
        let server = Server::start(move |_| Answer::text(text)).await;
        let fetcher = fetcher(&Names::new(), LONG);
        let answer = fetcher.get_small(&server.url("/"), ENOUGH).await;
        assert_eq!(answer, Err(error), "{text}");
        assert_eq!(server.asked()[0].header("accept-encoding"), "identity");
    }
    // Longer than it says: what is too much is not taken.
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more";
    let server = Server::start(move |_| Answer::text(long)).await;
    let body = fetcher(&Names::new(), LONG)
        .get_small(&server.url("/"), ENOUGH)
        .await;
    assert_eq!(body.unwrap(), b"hello");
    // A head without end.
    let server = Server::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\n".to_vec();
        Answer::Endless(
            head,
            b"X-More: and more and more and more\r\n",
            Duration::ZERO,
        )
    })
    .await;
    let answer = fetcher(&Names::new(), LONG)
        .get_small(&server.url("/"), ENOUGH)
        .await;
    assert_eq!(answer, Err(FetchError::Broken));
}

#[tokio::test]
async fn a_body_without_end_is_cut_where_enough_is_enough() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
    let server =
        Server::start(|_| Answer::Endless(HEAD.to_vec(), &[b'x'; 8192], Duration::ZERO)).await;
    let fetcher = fetcher(&Names::new(), LONG);
    let answer = fetcher.get_small(&server.url("/"), ENOUGH).await;
    assert_eq!(answer, Err(FetchError::TooLarge(ENOUGH as u64)));
    let fetched = fetcher.get(&server.url("/"), None).await.unwrap();
    assert_eq!(fetched.length, None);
    let mut taken = 0;
    let mut body = fetched.body.at_most(100_000);
    let error = loop {
        match body.next().await.unwrap() {
            Ok(piece) => taken += piece.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FetchError::TooLarge(100_000));
    assert!(taken <= 100_000);
}

#[tokio::test]
async fn silence_and_drops_are_not_waited_for() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let silent = Server::start(|_| Answer::Silence).await;
    let dripping =
        Server::start(|_| Answer::Endless(HEAD.to_vec(), b"x", Duration::from_millis(20))).await;
    let stuck =
        Server::start(|_| Answer::Endless(HEAD.to_vec(), b"x", Duration::from_secs(600))).await;
    let head = Server::start(|_| {
        Answer::Endless(
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            b"x",
            Duration::from_millis(20),
        )
    })
    .await;
    let fetcher = fetcher(&Names::new(), SHORT);
    for server in [&silent, &dripping, &stuck, &head] {
        let begun = std::time::Instant::now();
        let answer = fetcher.get_small(&server.url("/"), 2_000_000).await;
        assert_eq!(answer, Err(FetchError::TooSlow));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    // A large body has no limit for the whole, but must come on.
    let patience = Patience {
        silence: SHORT.silence,
        body: SHORT.body,
        ..LONG
    };
    let fetcher = self::fetcher(&Names::new(), patience);
    let fetched = fetcher.get(&dripping.url("/"), None).await.unwrap();
    let last = fetched
        .body
        .at_most(2_000_000)
        .collect::<Vec<_>>()
        .await
        .pop();
    assert_eq!(last.unwrap().err(), Some(FetchError::TooSlow));
}

#[tokio::test]
async fn a_part_is_asked_for_by_its_mark() {
    let server = Server::start(|_| {
        let headers = "Content-Range: bytes 3-4/5\r\nETag: \"one\"\r\n";
        Answer::whole("206 Partial Content", headers, b"lo")
    })
    .await;
    let rest = Rest {
        from: 3,
        mark: "\"one\"".to_owned(),
    };
    let fetcher = fetcher(&Names::new(), LONG);
    let fetched = fetcher.get(&server.url("/"), Some(&rest)).await.unwrap();
    assert_eq!(
        fetched.part.map(|part| (part.from, part.total)),
        Some((3, 5))
    );
    assert_eq!(fetched.mark.as_deref(), Some("\"one\""));
    let asked = server.asked().remove(0);
    assert_eq!(asked.header("range"), "bytes=3-");
    assert_eq!(asked.header("if-range"), "\"one\"");
    assert_eq!(asked.header("cookie"), "");
    assert_eq!(asked.header("authorization"), "");
    assert_eq!(asked.header("referer"), "");
}
