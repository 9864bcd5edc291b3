//! The configuration: layers, problems with their sources, secrets, and what a public server needs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clipqueue::config::{self, Config, LogFormat, MediaPlace, Problems, Sources, TransportKind};
use secrecy::ExposeSecret as _;

/// What a public server is given in these tests.
const OWN_KEY: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";

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
