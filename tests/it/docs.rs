//! What the documents say of tests and modules is there: a proof that is named must exist.

use std::{collections::BTreeSet, fs, path::Path};

/// Documents that name tests as proofs.
const DOCUMENTS: [&str; 2] = ["docs/FAULTS.md", "docs/PROMISES.md"];

fn sources(directory: &Path, all: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The last names of paths such as `a::b::c` and `…::c`; of `a::b::*` the name of the module.
fn names(document: &str) -> BTreeSet<String> {
    let quoted = document.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| {
            let path = text.rsplit(": ").next()?;
            let is_path = path.contains("::")
                && path
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:*…".contains(c));
            let mut parts = path.rsplit("::").filter(|part| *part != "*");
            is_path.then(|| parts.next().map(str::to_owned)).flatten()
        })
        .collect()
}

#[test]
fn every_proof_that_is_named_exists() {
    let mut all = String::new();
    for directory in ["src", "tests/it", "crates"] {
        sources(Path::new(directory), &mut all);
    }
    let words: BTreeSet<&str> = all
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let mut count = 0;
    let mut missing = Vec::new();
    for path in DOCUMENTS {
        for name in names(&fs::read_to_string(path).unwrap()) {
            count += 1;
            let is_defined = all.contains(&format!("fn {name}("))
                || all.contains(&format!("mod {name}"))
                || all.contains(&format!("fn {name}<"));
            if !is_defined || !words.contains(name.as_str()) {
                missing.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(count > 150, "{count} names were found");
    assert!(missing.is_empty(), "{missing:#?}");
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
