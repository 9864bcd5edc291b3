//! What the documents say of tests is there: a proof that is named must exist, and it must be a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Documents that name tests as proofs.
const DOCUMENTS: [&str; 2] = ["docs/FAULTS.md", "docs/PROMISES.md"];
/// How far above its function an attribute may stand.
const NEAR: usize = 4;

/// The tests of each module, by the paths that `cargo test` prints.
type Tests = BTreeMap<String, BTreeSet<String>>;

fn read(directory: &Path, tests: &mut Tests) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, tests);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            collect(&module(&path), &text, tests);
        }
    }
}

/// The module of a file: what follows `src`, or `tests` and the name of the binary.
fn module(path: &Path) -> String {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let root = parts
        .iter()
        .rposition(|part| *part == "src" || *part == "tests");
    let root = root.unwrap();
    let is_binary = parts[root] == "tests" && parts.len() > root + 2;
    let mut names: Vec<&str> = parts[root + 1 + usize::from(is_binary)..].to_vec();
    let last = names.pop().unwrap().trim_end_matches(".rs");
    if !["mod", "lib", "main"].contains(&last) {
        names.push(last);
    }
    names.join("::")
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub ", "pub(crate) ", "pub(super) ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.strip_prefix("fn ")?;
    let end = rest.find(['(', '<'])?;
    Some(&rest[..end])
}

fn collect(module: &str, text: &str, tests: &mut Tests) {
    // What runs on both stacks is listed.
    let listed: BTreeSet<&str> = text
        .split("on_both_stacks")
        .skip(1)
        .filter_map(|rest| rest.split_once('!')?.1.split_once(';'))
        .flat_map(|(list, _)| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let lines: Vec<&str> = text.lines().collect();
    let mut module = module.to_owned();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("mod tests {") {
            module = [module.as_str(), "tests"].join("::");
        }
        let Some(name) = function(line) else {
            continue;
        };
        let is_marked = lines[at.saturating_sub(NEAR)..at]
            .iter()
            .any(|line| line.contains("#[test]") || line.contains("#[tokio::test"));
        if is_marked || listed.contains(name) {
            let module = module.trim_start_matches("::").to_owned();
            tests.entry(module).or_default().insert(name.to_owned());
        }
    }
}

/// Every path in a document: `a::b::c`, `…::c`, `a::b::*`, and `crate: a::b`.
fn paths(document: &str) -> Vec<&str> {
    let quoted = document.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| {
            let path = text.rsplit(": ").next()?;
            let is_path = path.contains("::")
                && !path.starts_with("::")
                && path
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:*…".contains(c));
            is_path.then_some(path)
        })
        .collect()
}

/// Whether a path is the end of another, name by name.
fn ends(whole: &str, path: &str) -> bool {
    whole
        .strip_suffix(path)
        .is_some_and(|before| before.is_empty() || before.ends_with("::"))
}

/// A path names a test; `a::*` names a module that has some. A module alone names nothing: what it holds may
/// change without the document.
fn is_there(path: &str, tests: &Tests) -> bool {
    let path = path.trim_start_matches("…::");
    match path.strip_suffix("::*") {
        Some(module) => tests.keys().any(|known| ends(known, module)),
        None => tests.iter().any(|(module, names)| {
            let (of, name) = path.rsplit_once("::").unwrap_or(("", path));
            names.contains(name) && (of.is_empty() || ends(module, of))
        }),
    }
}

fn all_tests() -> Tests {
    let mut tests = Tests::new();
    for directory in ["src", "tests", "crates"] {
        read(Path::new(directory), &mut tests);
    }
    tests
}

#[test]
fn every_proof_that_is_named_is_a_test() {
    let tests = all_tests();
    let mut count = 0;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        for path in paths(&fs::read_to_string(document).unwrap()) {
            count += 1;
            if !is_there(path, &tests) {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(count > 400, "{count} names were found");
    assert!(
        missing.is_empty(),
        "these are no tests; name one, or all of a module by ::*: {missing:#?}"
    );
}

#[test]
fn a_module_alone_and_a_helper_prove_nothing() {
    let tests = all_tests();
    for good in [
        "docs::a_module_alone_and_a_helper_prove_nothing",
        "…::every_proof_that_is_named_is_a_test",
        "docs::*",
        "erasure::aggregates::only_counts_of_many_stay_and_they_name_nobody",
        "domain::billing::facts::tests::any_order_and_any_repetition_end_in_the_same",
    ] {
        assert!(is_there(good, &tests), "{good}");
    }
    for bad in [
        "erasure::aggregates",
        "docs::all_tests",
        "keep::docs::every_proof_that_is_named_is_a_test",
        "nothing::*",
    ] {
        assert!(!is_there(bad, &tests), "{bad}");
    }
}

#[test]
fn every_promise_names_a_proof_or_says_that_it_is_not_kept_yet() {
    let document = fs::read_to_string("docs/PROMISES.md").unwrap();
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise"))
        .filter(|line| !line.starts_with("| ---"))
        .collect();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let proof = cells[2].trim();
        let is_kept = proof.contains("::") || proof.contains("the operator's");
        assert!(
            is_kept || proof.starts_with("not yet"),
            "no proof of: {row}"
        );
    }
}
