//! Reads one key at a time out of the merged layers and collects what is wrong with each.

use std::{collections::BTreeSet, fmt, fs, time::Duration};

use figment::{Figment, value::Value};
use secrecy::SecretString;

use super::units::parse_duration;

/// One thing that is wrong, and where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `http.listen`.
    pub key: String,
    /// Where the value came from.
    pub source: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} problem(s):", self.0.len())?;
        for problem in &self.0 {
            writeln!(
                f,
                "  {} (from {}): {}",
                problem.key, problem.source, problem.message
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects values and problems.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
    known: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(figment: &'a Figment) -> Self {
        Self {
            figment,
            known: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Notes a problem of `key`.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let source = self.source(key);
        self.problems.push(Problem {
            key: key.to_owned(),
            source,
            message: message.into(),
        });
    }

    /// The text of `key`; numbers and booleans that the environment was read as are turned back.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.known.insert(key.to_owned());
        let text = match self.figment.find_value(key) {
            Ok(value) => scalar(&value),
            Err(_) => None,
        };
        text.unwrap_or_else(|| {
            self.problem(key, "must be a text");
            String::new()
        })
    }

    /// `key`, or the content of the file that `key_file` names, which wins.
    pub(super) fn secret(&mut self, key: &str) -> SecretString {
        let value = self.text(key);
        let file_key = format!("{key}_file");
        self.known.insert(file_key.clone());
        let Ok(path) = self.figment.find_value(&file_key) else {
            return value.into();
        };
        let path = scalar(&path).unwrap_or_default();
        match fs::read_to_string(&path) {
            Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned().into(),
            Err(error) => {
                self.problem(&file_key, format!("cannot read {path}: {error}"));
                value.into()
            }
        }
    }

    /// `key` parsed by `parse`, or the problem `expected`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key);
        let value = parse(&text);
        if value.is_none() {
            self.problem(key, format!("`{text}` is not {expected}"));
        }
        value
    }

    pub(super) fn duration(&mut self, key: &str) -> Duration {
        self.parsed(key, "a duration such as 15s, 10m or 24h", parse_duration)
            .unwrap_or_default()
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.parsed(key, "true or false", |text| text.parse().ok())
            .unwrap_or_default()
    }

    /// A whole number of at least `least`.
    pub(super) fn number(&mut self, key: &str, least: u64) -> u64 {
        self.parsed(
            key,
            &format!("a whole number of at least {least}"),
            |text| text.parse().ok().filter(|number| *number >= least),
        )
        .unwrap_or(least)
    }

    pub(super) fn count(&mut self, key: &str, least: u64) -> usize {
        usize::try_from(self.number(key, least)).unwrap_or(usize::MAX)
    }

    /// A list of texts; a single comma-separated text is taken apart.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        self.known.insert(key.to_owned());
        let items = match self.figment.find_value(key) {
            Ok(Value::Array(_, items)) => items.iter().map(scalar).collect(),
            Ok(Value::String(_, text)) => Some(
                text.split(',')
                    .map(|item| item.trim().to_owned())
                    .filter(|item| !item.is_empty())
                    .collect(),
            ),
            Ok(_) | Err(_) => None,
        };
        items.unwrap_or_else(|| {
            self.problem(key, "must be a list of texts");
            Vec::new()
        })
    }

    /// Reports keys that nobody asked for, and ends.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Problems> {
        let mut leaves = Vec::new();
        match self.figment.find_value("") {
            Ok(root) => collect_leaves("", &root, &mut leaves),
            Err(error) => {
                for error in error {
                    self.problems.push(Problem {
                        key: error.path.join("."),
                        source: error
                            .metadata
                            .as_ref()
                            .map_or_else(|| "a configuration file".to_owned(), describe),
                        message: error.kind.to_string(),
                    });
                }
            }
        }
        for leaf in leaves {
            if !self.known.contains(&leaf) {
                let nearest = self
                    .known
                    .iter()
                    .min_by_key(|known| distance(known, &leaf))
                    .filter(|known| distance(known, &leaf) <= 3)
                    .map_or_else(String::new, |known| format!("; did you mean {known}?"));
                self.problem(&leaf, format!("is not a key of Clipqueue{nearest}"));
            }
        }
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(Problems(self.problems))
        }
    }

    fn source(&self, key: &str) -> String {
        self.figment
            .find_metadata(key)
            .map_or_else(|| "nowhere".to_owned(), describe)
    }
}

fn describe(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(source) => format!("{} {source}", metadata.name),
        None => metadata.name.to_string(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Char(_, c) => Some(c.to_string()),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string())),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

fn collect_leaves(prefix: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Dict(_, dict) => {
            for (key, value) in dict {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                collect_leaves(&path, value, leaves);
            }
        }
        _ => leaves.push(prefix.to_owned()),
    }
}

/// Levenshtein distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
