//! Who imports whom, and other rules that hold for the text of the code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The modules in the order of `src/lib.rs`. A module may import its own group and those before it.
const ORDER: &[&[&str]] = &[
    &[
        "clock",
        "config",
        "crash",
        "db",
        "fetch",
        "mail",
        "migrate",
        "oidc",
        "paypal",
        "remote",
        "secrets",
        "telemetry",
    ],
    &["media"],
    &["queue"],
    &["job"],
    &["calls"],
    &["app"],
    &["domain"],
    &["workers"],
    &["graphql", "http"],
    &["service", "demo", "torture", "bench", "cli"],
];

/// More lines than this are more than one idea.
const LONGEST: usize = 400;

/// One file of Rust, with its path from the repository's root.
pub(crate) struct Source {
    pub(crate) path: String,
    text: String,
}

impl Source {
    /// The text without comments, so that prose imports nothing.
    pub(crate) fn code(&self) -> String {
        self.text
            .lines()
            .map(|line| match line.find("//") {
                // An address in a text is no comment.
                Some(at) if !line[..at].ends_with(':') => &line[..at],
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The module of `src` that it belongs to; none for `lib.rs` and `main.rs`.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let first = rest.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(name, "lib" | "main")).then_some(name)
    }
}

pub(crate) fn sources(under: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = under.iter().map(|path| root.join(path)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(Source {
                path: path.strip_prefix(root).unwrap().display().to_string(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
    assert!(!found.is_empty(), "nothing lies under {under:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The first names after every `crate::`, groups in braces included.
fn imported(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, word) in code.match_indices("crate::") {
        let boundary = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = code[at + word.len()..].trim_start();
        if !boundary {
            continue;
        }
        match rest.strip_prefix('{') {
            None => {
                names.insert(leading_name(rest));
            }
            Some(group) => names.extend(names_of_group(group)),
        }
    }
    names
}

/// The first name of each item of `{a, b::{c, d}, e}`, given what follows the opening brace.
fn names_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0_i32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(leading_name(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn leading_name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The code without its imports from this crate, whose modules may have a library's name.
fn without_own_imports(code: &str) -> String {
    let own = ["use crate::", "use super::", "use self::"];
    code.split_inclusive(';')
        .filter(|statement| !own.iter().any(|start| statement.contains(start)))
        .collect()
}

/// Whether `code` uses the crate `name` by a path or by an import.
fn uses(code: &str, name: &str) -> bool {
    let code = without_own_imports(code);
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.' || c == '"')
            && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

pub(crate) fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn modules_import_only_what_stands_before_them() {
    let rank = |name: &str| ORDER.iter().position(|group| group.contains(&name));
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.module() else {
            continue;
        };
        let own = rank(module).unwrap_or_else(|| panic!("{module} is missing in ORDER"));
        for name in imported(&source.code()) {
            if rank(&name).is_some_and(|rank| rank > own) {
                broken.push(format!("{} imports {name}", source.path));
            }
        }
    }
    none("the order in src/lib.rs is broken", &broken);
}

#[test]
fn the_order_is_the_one_that_the_map_tells() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let ordered: BTreeSet<&str> = ORDER
        .iter()
        .flat_map(|group| group.iter().copied())
        .collect();
    assert_eq!(declared, ordered);
    let told: Vec<&str> = map
        .lines()
        .filter(|line| line.starts_with("//! ") && line[4..].starts_with(char::is_numeric))
        .collect();
    assert_eq!(told.len(), ORDER.len());
    for (line, group) in told.iter().zip(ORDER) {
        for module in *group {
            assert!(line.contains(&format!("[`{module}`]")), "{line}: {module}");
        }
    }
}

#[test]
fn each_library_stays_in_its_place() {
    /// A crate, and the places that may name it.
    const PLACES: &[(&str, &[&str])] = &[
        ("apalis", &["src/queue/"]),
        ("apalis_core", &["src/queue/"]),
        ("redis", &["src/queue/transport/"]),
        ("reqwest", &["src/demo/", "src/torture/", "src/fetch/"]),
        ("async_graphql", &["src/graphql/", "src/http/graphql/"]),
        ("hickory_resolver", &["src/fetch/"]),
        ("axum", &["src/http/"]),
        (
            "askama",
            &[
                "src/http/ui/",
                "src/http/dashboard/",
                "src/http/frame.rs",
                "src/http/lone.rs",
                "src/http/sign_in.rs",
                "src/http/oauth.rs",
                "src/http/erasure.rs",
                "src/http/privacy.rs",
                "src/domain/mails/",
            ],
        ),
        ("lettre", &["src/mail.rs"]),
        ("openidconnect", &["src/oidc/"]),
        ("webpki", &["src/paypal.rs"]),
        ("webpki_roots", &["src/paypal.rs"]),
        (
            "aho_corasick",
            &["src/domain/erasure/", "src/domain/exports/named.rs"],
        ),
        ("zip", &["src/domain/exports/archive.rs"]),
        ("tracing_appender", &["src/telemetry.rs"]),
        ("ring", &["src/domain/erasure/receipt.rs"]),
        ("object_store", &["src/media/"]),
        ("toml", &["src/config/"]),
        (
            "tiktok_sim",
            &["src/demo/", "src/torture/", "src/cli/", "src/bench/"],
        ),
        ("chacha20poly1305", &["src/secrets.rs"]),
        ("clipqueue_migration", &["src/migrate.rs"]),
    ];
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let code = source.code();
        for (library, places) in PLACES {
            if uses(&code, library) && !places.iter().any(|place| source.path.starts_with(place)) {
                broken.push(format!("{} uses {library}", source.path));
            }
        }
    }
    none("a library is used outside its place", &broken);
}

#[test]
fn doors_know_neither_the_database_nor_workers() {
    let mut broken = Vec::new();
    for source in sources(&["src/graphql", "src/http"]) {
        let code = source.code();
        if uses(&code, "sea_orm") {
            broken.push(format!("{} uses sea_orm", source.path));
        }
        if imported(&code).contains("workers") {
            broken.push(format!("{} imports workers", source.path));
        }
    }
    none("graphql and http stand on the domain", &broken);
}

#[test]
fn the_smaller_crates_stand_alone() {
    let apart: &[(&str, &[&str])] = &[
        (
            "entities/src",
            &[
                "clipqueue",
                "clipqueue_migration",
                "tiktok",
                "tiktok_sim",
                "media_probe",
            ],
        ),
        (
            "migration/src",
            &[
                "clipqueue",
                "clipqueue_entities",
                "tiktok",
                "tiktok_sim",
                "media_probe",
            ],
        ),
        (
            "crates/tiktok/src",
            &["clipqueue", "clipqueue_entities", "tiktok_sim", "sea_orm"],
        ),
        (
            "crates/tiktok-sim/src",
            &["clipqueue", "clipqueue_entities", "tiktok", "sea_orm"],
        ),
        (
            "crates/media-probe/src",
            &["clipqueue", "clipqueue_entities", "tiktok", "tokio"],
        ),
    ];
    let mut broken = Vec::new();
    for (directory, strangers) in apart {
        for source in sources(&[directory]) {
            let code = source.code();
            for stranger in *strangers {
                if uses(&code, stranger) {
                    broken.push(format!("{} uses {stranger}", source.path));
                }
            }
        }
    }
    none("a crate knows one that it must not know", &broken);
}

#[test]
fn every_file_says_what_it_is_and_holds_one_idea() {
    let mut broken = Vec::new();
    for source in sources(&["src", "entities", "migration", "crates", "tests"]) {
        if !source.text.starts_with("//! ") {
            broken.push(format!("{} does not begin with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            broken.push(format!("{} has {lines} lines", source.path));
        }
    }
    none("a file is nameless or too long", &broken);
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::{app::App, domain::{posts, error::Error}, job};\n\
                fn f() { crate::workers::run(); mycrate::http::g(); }";
    let found: Vec<String> = imported(code).into_iter().collect();
    assert_eq!(found, ["app", "domain", "job", "workers"]);
    assert!(uses("use redis::Client;", "redis"));
    assert!(uses("let x = redis::cmd(y);", "redis"));
    assert!(!uses("transport::redis::RedisTransport", "redis"));
    assert!(!uses("my_redis::x", "redis"));
    assert!(!uses("use crate::{a, redis::B};", "redis"));
    assert!(uses("use crate::a;\nuse redis::B;", "redis"));
}
