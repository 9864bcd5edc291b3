//! The configuration: the reference, layers, and problems with their sources.

mod secrets;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clipqueue::config::{self, Config, LogFormat, MediaPlace, Problems, Sources, TransportKind};
use secrecy::ExposeSecret as _;

fn load(files: &[&Path], settings: &[(&str, &str)]) -> Result<Config, Problems> {
    config::load(&Sources {
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        environment: false,
        settings: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    })
}

/// What is wrong with these settings, as a person reads it.
fn told(settings: &[(&str, &str)]) -> String {
    match load(&[], settings) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_defaults_run_a_demo() {
    let config = load(&[], &[]).unwrap();
    assert!(config.http.listen.ip().is_loopback());
    assert_eq!(config.http.admin_listen, None);
    assert!(matches!(config.transport.kind, TransportKind::Memory));
    assert_eq!(config.queue.lease, Duration::from_secs(15));
    assert!(
        matches!(&config.media.place, MediaPlace::Directory(path) if path == Path::new("data/media"))
    );
    assert_eq!(config.log.format, LogFormat::Pretty);
    assert!(config.warnings.is_empty());
}

#[test]
fn every_key_of_the_reference_has_a_sentence_and_is_read() {
    let text = fs::read_to_string(of_repository("config/default.toml")).unwrap();
    let (mut section, mut before, mut written) = (String::new(), "", BTreeSet::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            let sentence = before.strip_prefix("# ").unwrap_or_default();
            assert!(sentence.len() > 10, "{section}.{key} has no sentence");
            let ends = sentence.ends_with(['.', '"'])
                || sentence.contains("http")
                || sentence.contains("openssl");
            assert!(
                ends,
                "the sentence of {section}.{key} does not end: {sentence}"
            );
            written.insert(format!("{section}.{key}"));
        }
        before = line;
    }
    let read: BTreeSet<String> = config::known_keys()
        .into_iter()
        .filter(|key| !key.ends_with("_file"))
        .collect();
    assert_eq!(written, read);
}

#[test]
fn the_names_that_others_rely_on_are_there() {
    let known = config::known_keys();
    for key in [
        "http.listen",
        "http.public_url",
        "database.url",
        "database.url_file",
        "transport.url",
        "transport.url_file",
        "media.url",
        "media.s3_access_key_id_file",
        "media.s3_secret_access_key_file",
        "tiktok.client_key",
        "tiktok.client_secret",
        "tiktok.client_secret_file",
        "tiktok.authorize_base",
        "tiktok.api_base",
        "tiktok.upload_hosts",
        "tiktok.audited",
        "secrets.master_key",
        "secrets.master_key_file",
        "console.oidc.issuer",
        "console.oidc.client_secret_file",
    ] {
        assert!(known.contains(key), "{key}");
    }
}

#[test]
fn a_provider_of_identities_is_off_until_it_is_named_and_then_whole() {
    assert!(load(&[], &[]).unwrap().console.oidc.is_none());
    let issuer = ("console.oidc.issuer", "https://id.example/realms/main/");
    let client = ("console.oidc.client_id", "clipqueue");
    let admin = ("console.oidc.admin", "root, chiefs");
    let config = load(&[], &[issuer, client, admin]).unwrap();
    let oidc = config.console.oidc.unwrap();
    assert_eq!(oidc.issuer, issuer.1, "letter by letter");
    assert_eq!(oidc.scopes, ["openid", "email", "profile"]);
    assert_eq!(oidc.admin, ["root", "chiefs"]);
    assert!(oidc.client_secret.is_none() && oidc.viewer.is_empty());
    assert_eq!((oidc.claim.as_str(), oidc.label.len()), ("groups", 27));

    // All that is missing, together.
    let text = told(&[issuer]);
    for word in ["console.oidc.client_id", "nobody would get a role"] {
        assert!(text.contains(word), "{text}");
    }
    let whole = [issuer, client, admin];
    for (key, value, message) in [
        ("console.oidc.issuer", "http://id.example", "https"),
        (
            "console.oidc.issuer",
            "https://u:hidden@id.example",
            "https",
        ),
        ("console.oidc.issuer", "id.example", "https"),
        ("console.oidc.scopes", "email", "must hold openid"),
        ("console.oidc.claim", "", "is empty"),
        ("console.oidc.label", "", "1 to 60"),
        ("console.oidc.admin", "", "nobody would get a role"),
    ] {
        let mut settings = whole.to_vec();
        settings.push((key, value));
        let text = told(&settings);
        assert!(
            text.contains(key) && text.contains(message),
            "{key}={value}: {text}"
        );
        assert!(text.contains("has a problem:"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
    // Half of it, without the name that switches it on.
    let text = told(&[client]);
    assert!(text.contains("needs console.oidc.issuer"), "{text}");
    // On this machine plain http will do.
    let here = ("console.oidc.issuer", "http://127.0.0.1:8090/realms/main");
    assert!(load(&[], &[here, client, admin]).is_ok());
    let secret = ("console.oidc.client_secret", "canary");
    let shown = format!("{:?}", load(&[], &[issuer, client, admin, secret]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_bucket_needs_its_keys_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("s3_secret");
    fs::write(&secret, "of-a-file\n").unwrap();
    let bucket = ("media.url", "s3://clips/some/where/");
    let told_without = told(&[bucket]);
    for key in ["media.s3_access_key_id", "media.s3_secret_access_key"] {
        assert!(told_without.contains(key), "{told_without}");
    }
    let config = load(
        &[],
        &[
            bucket,
            ("media.s3_endpoint", "http://127.0.0.1:8333"),
            ("media.s3_access_key_id", "id"),
            ("media.s3_secret_access_key_file", secret.to_str().unwrap()),
        ],
    )
    .unwrap();
    let MediaPlace::S3(s3) = &config.media.place else {
        panic!("{:?}", config.media.place);
    };
    assert_eq!(
        (s3.bucket.as_str(), s3.prefix.as_str()),
        ("clips", "some/where")
    );
    assert_eq!(s3.secret_access_key.expose_secret(), "of-a-file");
    assert!(!format!("{config:?}").contains("of-a-file"));
    for wrong in [
        "s3://",
        "s3://Clips",
        "s3://clips/../x",
        "s3://clips/a//b",
        "gs://clips",
    ] {
        assert!(
            told(&[("media.url", wrong)]).contains("media.url"),
            "{wrong}"
        );
    }
    for wrong in ["s3.example.com", "https://user:password@s3.example.com"] {
        let text = told(&[("media.s3_endpoint", wrong)]);
        assert!(text.contains("media.s3_endpoint"), "{wrong}");
        assert!(!text.contains("password"), "{text}");
    }
}

#[test]
fn later_layers_win_key_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("1.toml"), dir.path().join("2.toml"));
    fs::write(&first, "[queue]\nuploads = 7\nstatus = 7\ntokens = 7\n").unwrap();
    fs::write(&second, "[queue]\nstatus = 9\ntokens = 9\n").unwrap();
    let config = load(&[&first, &second], &[("queue.tokens", "11")]).unwrap();
    let queue = config.queue;
    assert_eq!(
        (queue.uploads, queue.status, queue.tokens, queue.purge),
        (7, 9, 11, 1)
    );
}

#[test]
fn all_problems_come_together_each_with_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    fs::write(
        &file,
        "[http]\nlisten = \"everywhere\"\nlissten = \"x\"\n[queue]\nlease = \"soon\"\nuploads = 0\n[que]\nlease = 1\n",
    )
    .unwrap();
    let settings = [
        ("graphql.max_depth", "1"),
        ("lease", "15s"),
        ("http", "x"),
        ("wholly.unknown", "1"),
    ];
    let problems = load(&[&file], &settings).unwrap_err();
    let name = file.display().to_string();
    for (key, source, message) in [
        (
            "http.listen",
            name.as_str(),
            "`everywhere` is not an address and port",
        ),
        ("http.lissten", &name, "did you mean http.listen?"),
        ("queue.lease", &name, "`soon` is not a duration"),
        ("queue.uploads", &name, "a whole number of at least 1"),
        ("que.lease", &name, "did you mean queue.lease?"),
        (
            "graphql.max_depth",
            "flag --set graphql.max_depth",
            "at least 5",
        ),
        ("lease", "flag --set lease", "did you mean queue.lease?"),
        ("http", "flag --set http", "it is a section"),
        (
            "wholly.unknown",
            "flag --set wholly.unknown",
            "config/default.toml lists them",
        ),
    ] {
        let found = problems.0.iter().find(|problem| problem.key == key);
        let found = found.unwrap_or_else(|| panic!("{key} is missing in: {problems}"));
        assert_eq!(found.source, source, "{key}");
        assert!(found.message.contains(message), "{key}: {}", found.message);
    }
    assert_eq!(problems.0.len(), 9, "{problems}");
}

#[test]
fn values_that_no_part_could_use_are_refused_here() {
    for (key, value, message) in [
        ("http.public_url", "ftp://a", "http or https"),
        ("http.public_url", "https://u:hidden@a", "without user"),
        (
            "http.allowed_origins",
            "https://app.example/path",
            "is not an origin",
        ),
        ("http.allowed_origins", "app.example", "is not an origin"),
        ("http.return_to", "app.example", "is not an http"),
        ("http.admin_listen", "9090", "is not empty, or an address"),
        ("http.drain_delay", "5", "is not a duration"),
        (
            "database.url",
            "mysql://u:hidden@h/d",
            "must be sqlite:PATH or postgres://",
        ),
        ("database.url", "sqlite::memory:", "memory would lose"),
        ("database.url", "sqlite:x?mode=memory", "memory would lose"),
        ("database.url", "sqlite:", "must be sqlite:PATH"),
        (
            "database.url",
            "postgres://u:hidden@h:port/d",
            "must be sqlite:PATH",
        ),
        (
            "transport.url",
            "amqp://u:hidden@h",
            "must be memory: or redis://",
        ),
        ("transport.url", "redis://", "must be memory: or redis://"),
        (
            "transport.url",
            "redis://u:hidden@h/zero",
            "must be memory: or redis://",
        ),
        ("transport.prefix", "a b", "letters, digits and dashes"),
        ("media.url", "gs://bucket", "a directory"),
        ("media.url", "", "a directory"),
        ("media.max_file_bytes", "4GB", "a whole number"),
        ("tiktok.client_key", "", "developer portal"),
        ("tiktok.client_secret", "", "developer portal"),
        (
            "tiktok.api_base",
            "http://open.tiktokapis.com",
            "must be https",
        ),
        ("tiktok.upload_hosts", "*.com", "is not a host"),
        ("tiktok.upload_hosts", "", "at least one"),
        ("tiktok.scopes", "video upload", "is not a scope"),
        ("tiktok.scopes", "", "at least one"),
        ("tiktok.audited", "maybe", "true or false"),
        ("secrets.master_key", "hidden", "64 hexadecimal digits"),
        ("queue.lease", "1s", "at least 3s"),
        ("queue.grace", "0s", "longer than zero"),
        ("queue.keep_finished", "9999d", "ten years at most"),
        ("log.format", "xml", "json or pretty"),
        ("log.filter", "clipqueue=loud", "is not a filter"),
        ("log.filter", "", "is not a filter"),
    ] {
        let text = told(&[(key, value)]);
        assert!(
            text.contains(key) && text.contains(message),
            "{key}={value}: {text}"
        );
        assert!(
            text.contains("has a problem:"),
            "one mistake, one problem: {text}"
        );
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn strangers_are_not_given_the_plan_that_is_sold() {
    let strangers = ("dashboard.sign_up", "true");
    let paypal = [
        ("paypal.webhook_id", "WH-1"),
        ("paypal.plan_ids", "P-1"),
        ("paypal.certificates", "paypal.pem"),
    ];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        paypal.into_iter().chain(more.iter().copied()).collect()
    };
    let text = told(&with(&[strangers]));
    assert!(
        text.contains("plans.default") && text.contains("must be free or trial"),
        "{text}"
    );
    assert_eq!(told(&with(&[strangers, ("plans.default", "free")])), "");
    assert_eq!(told(&with(&[strangers, ("plans.default", "trial")])), "");
    // Where nobody comes by themselves, or nothing is sold, the default may be what it is.
    assert_eq!(told(&with(&[])), "");
    assert_eq!(told(&[strangers]), "");
    let closed = [strangers, ("dashboard.enabled", "false")];
    assert_eq!(told(&with(&closed)), "");
}
