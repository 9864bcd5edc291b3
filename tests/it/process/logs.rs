//! What a run leaves in its log: objects, and no secret.

use serde_json::Value;

use super::{Installation, client, get};
use crate::console::provider::{CLIENT, Provider, SECRET, person};

/// Secrets that stand out.
const MASTER_KEY: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";
const CLIENT_SECRET: &str = "canary-client-secret";
const UPLOAD: &str = "canary-upload-capability";
const CODE: &str = "canary-authorization-code";

#[tokio::test]
async fn a_log_has_one_object_a_line_and_no_secret_at_any_level() {
    let home = Installation::new()
        .with("secrets.master_key", MASTER_KEY)
        .with("tiktok.client_secret", CLIENT_SECRET)
        .with("log.filter", "trace");
    let directory = home.path("logs");
    let home = home.with("log.directory", directory.display().to_string());
    let key = home.run(&["key", "create", "--user", "ada"]).await.good();
    let secret = key.trim().split('_').nth(2).unwrap().to_owned();

    let mut server = home.serve().await;
    let address = server.public().await;
    let client = client();
    let at = |path: &str| format!("http://{address}{path}");
    let graphql = client
        .post(at("/graphql"))
        .bearer_auth(key.trim())
        .header("content-type", "application/json")
        .body(r#"{"query":"{ __typename }"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(graphql.status(), 200);
    let bad = format!("cq_{}_{}_00000000", "0".repeat(32), "c".repeat(64));
    for token in [key.trim(), &bad] {
        let upload = client
            .post(at("/uploads"))
            .bearer_auth(token)
            .header("tus-resumable", "1.0.0")
            .header("upload-length", "10")
            .send()
            .await
            .unwrap();
        assert!(upload.status() == 201 || upload.status() == 401);
    }
    for path in [
        format!("/uploads/{UPLOAD}"),
        format!("//uploads/{UPLOAD}"),
        format!("/oauth/tiktok/callback?code={CODE}&state={CODE}"),
        format!("/nowhere/{CODE}"),
    ] {
        assert!(get(address, &path).await.unwrap().0 >= 400, "{path}");
    }
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));

    let lines = server.lines();
    assert!(lines.len() > 10, "a trace has many lines");
    let kept = in_files(&directory);
    assert!(
        kept.len() >= lines.len(),
        "the files have what the output has"
    );
    for line in lines.iter().chain(&kept) {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(
            object["timestamp"].is_string() && object["level"].is_string(),
            "{line}"
        );
        for canary in [
            MASTER_KEY,
            CLIENT_SECRET,
            UPLOAD,
            CODE,
            &secret,
            &"c".repeat(64),
        ] {
            assert!(!line.contains(canary), "{canary} in {line}");
        }
    }
    // The requests themselves are there, by route.
    for log in [&lines, &kept] {
        assert!(
            log.iter()
                .any(|line| line.contains("\"http.route\":\"/uploads/{upload}\""))
        );
    }
    // A search looks into the files, too.
    let home = home.with("log.filter", "info");
    let scanned = home
        .run(&["erasure", "scan", "--subject", "/uploads/{upload}"])
        .await;
    assert!(!scanned.status.success());
    assert!(scanned.out.contains("log:"), "{}", scanned.out);
}

/// The lines of the log files in a directory that nobody else can reach.
fn in_files(directory: &std::path::Path) -> Vec<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    let files = clipqueue::telemetry::files(directory).unwrap();
    assert!(!files.is_empty());
    files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(&file.path).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn logs_are_kept_for_ninety_days_at_most() {
    let home = Installation::new().with("retention.logs", "91d");
    home.run(&["config", "check"])
        .await
        .refused(&["retention.logs", "90d at most"]);
}

#[tokio::test]
async fn a_sign_in_by_openid_connect_leaves_no_secret_in_the_log() {
    let provider = Provider::start("127.0.0.1", clipqueue::clock::Clock::System).await;
    let home = Installation::new()
        .with("console.oidc.issuer", &provider.issuer)
        .with("console.oidc.client_id", CLIENT)
        .with("console.oidc.client_secret", SECRET)
        .with("console.oidc.viewer", "staff")
        .with("log.filter", "trace");
    let mut server = home.serve().await;
    let address = server.public().await;
    let checked = home.run(&["doctor"]).await;
    assert!(
        checked
            .out
            .contains("ok    the provider of operators' identities"),
        "{}",
        checked.out
    );
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut secrets = vec![SECRET.to_owned()];
    // Somebody who is let in, and somebody who is not.
    for groups in [&["staff"][..], &[]] {
        let start = format!("http://{address}/ops/oidc/start");
        let answer = client.get(start).send().await.unwrap();
        let header = |answer: &reqwest::Response, name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let cookie = header(&answer, "set-cookie");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let back = provider.sign_in(
            &header(&answer, "location"),
            &person("ada-1", "ada", groups),
        );
        let back = format!(
            "http://{address}{}?{}",
            back.path(),
            back.query().unwrap_or_default()
        );
        let answer = client
            .get(back)
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        let expected = match groups {
            [] => "/ops/sign-in?refused=no_role",
            _ => "/ops/oidc/done",
        };
        assert_eq!(header(&answer, "location"), expected);
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
        if let Some((_, secret)) = header(&answer, "set-cookie").split_once('.') {
            secrets.push(secret.split(';').next().unwrap().to_owned());
        }
    }
    let listed = home.run(&["operator", "list"]).await.good();
    assert!(
        listed.contains("lapsed    ada-") && listed.contains(&provider.issuer),
        "{listed}"
    );
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    secrets.extend(provider.inside().secrets.clone());
    assert!(secrets.len() >= 14, "{}", secrets.len());
    let lines = server.lines();
    let routes = "\"http.route\":\"/ops/oidc/callback\"";
    assert!(lines.iter().any(|line| line.contains(routes)));
    for line in &lines {
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret} in {line}");
        }
    }
}
