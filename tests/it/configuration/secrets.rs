//! Secrets: from files, never shown, and none of the demo's on a public server.

use std::fs;

use clipqueue::config::{LogFormat, TransportKind};
use secrecy::ExposeSecret as _;

use super::{load, of_repository, told};

/// What a public server is given in these tests.
const OWN_KEY: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";

#[test]
fn secrets_stay_as_they_were_written_and_are_never_shown() {
    // Each would be another number, list or map if somebody parsed it.
    for secret in ["0123", "1e5", "[1]", "{a=1}", "true", "a,b", " x", "\"q\""] {
        let config = load(&[], &[("tiktok.client_secret", secret)]).unwrap();
        assert_eq!(config.tiktok.client_secret.expose_secret(), secret);
    }
    let settings = [
        ("tiktok.client_secret", "canary-1"),
        ("secrets.master_key", OWN_KEY),
        ("database.url", "postgres://u:canary-2@h/d"),
        ("transport.url", "redis://:canary-3@h/0"),
    ];
    let config = load(&[], &settings).unwrap();
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("c0ffee"),
        "{shown}"
    );
    let mut broken = settings.to_vec();
    broken.push(("http.listen", "x"));
    let text = told(&broken);
    assert!(
        !text.contains("canary") && !text.contains("c0ffee"),
        "{text}"
    );
}

#[test]
fn a_broken_file_is_told_by_its_line_and_not_by_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    fs::write(&file, "[secrets]\nmaster_key = \"canary\n").unwrap();
    let text = load(&[&file], &[]).unwrap_err().to_string();
    assert!(
        text.contains("line 2") && text.contains("site.toml"),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn every_secret_can_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let paths = [
        ("database.url_file", file("d", "postgres://u:canary@h/d\n")),
        ("transport.url_file", file("t", "redis://:canary@h/0\r\n")),
        ("tiktok.client_secret_file", file("c", "canary")),
        (
            "secrets.master_key_file",
            file("m", &format!("{OWN_KEY}\n")),
        ),
    ];
    let settings: Vec<(&str, &str)> = paths
        .iter()
        .map(|(key, path)| (*key, path.as_str()))
        .collect();
    let config = load(&[], &settings).unwrap();
    assert_eq!(
        config.database.url.expose_secret(),
        "postgres://u:canary@h/d"
    );
    assert_eq!(config.tiktok.client_secret.expose_secret(), "canary");
    assert_eq!(config.secrets.master_key.expose_secret(), OWN_KEY);
    assert!(matches!(config.transport.kind, TransportKind::Redis(_)));

    // A plain value in a higher layer wins; both in one layer is a question.
    let site = dir.path().join("site.toml");
    fs::write(
        &site,
        format!("[tiktok]\nclient_secret_file = {:?}\n", paths[2].1),
    )
    .unwrap();
    let config = load(&[&site], &[("tiktok.client_secret", "flag")]).unwrap();
    assert_eq!(config.tiktok.client_secret.expose_secret(), "flag");
    let both = told(&[
        ("tiktok.client_secret", "x"),
        ("tiktok.client_secret_file", &paths[2].1),
    ]);
    assert!(both.contains("give one of the two"), "{both}");

    let missing = told(&[("secrets.master_key_file", "/nowhere/key")]);
    assert!(
        missing.contains("cannot read /nowhere/key") && missing.contains("a problem"),
        "{missing}"
    );
    let wrong = told(&[("secrets.master_key_file", &file("w", "canary"))]);
    assert!(
        wrong.contains("secrets.master_key_file (from flag"),
        "{wrong}"
    );
    assert!(
        wrong.contains("64 hexadecimal") && !wrong.contains("canary"),
        "{wrong}"
    );
    let empty = told(&[("tiktok.client_secret_file", &file("e", "\n"))]);
    assert!(empty.contains("is empty"), "{empty}");
}

#[test]
fn production_starts_with_its_own_secrets_and_refuses_the_demos() {
    let file = of_repository("config/production.toml");
    let needed = [
        ("http.public_url", "https://clips.example"),
        ("database.url", "postgres://u:p@db/clipqueue"),
        ("transport.url", "redis://redis:6379/0"),
        ("tiktok.client_key", "own-key"),
        ("tiktok.client_secret", "own-secret"),
        ("secrets.master_key", OWN_KEY),
    ];
    let config = load(&[&file], &needed).unwrap();
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!config.database.migrate_on_start);
    assert_eq!(
        config.tiktok.api_base.as_str(),
        "https://open.tiktokapis.com/"
    );
    for left_out in [
        "http.public_url",
        "tiktok.client_key",
        "tiktok.client_secret",
        "secrets.master_key",
    ] {
        let rest: Vec<_> = needed
            .iter()
            .copied()
            .filter(|(key, _)| *key != left_out)
            .collect();
        let text = load(&[&file], &rest).unwrap_err().to_string();
        assert!(
            text.contains(left_out) && text.contains("a problem"),
            "{text}"
        );
    }
}
