//! What a run leaves in its log: objects, and no secret.

use serde_json::Value;

use super::{Installation, client, get};

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
