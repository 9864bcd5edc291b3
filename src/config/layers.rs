//! The layers of the configuration, laid over each other key by key.
//!
//! A layer is a list of dotted keys with their values; the value of the highest layer that names a key
//! holds, and remembers where it was said. Texts stay as they were written: a secret that looks like a
//! number is not turned into one.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use super::reader::Problem;

/// What environment variables of ours begin with.
const ENV_PREFIX: &str = "CLIPQUEUE__";

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// A text, number or boolean.
    Text(String),
    /// A list of those.
    List(Vec<String>),
    /// Something that no key takes.
    Other,
}

/// A value and where it was said.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) raw: Raw,
    pub(super) source: String,
    /// Which layer; higher ones win.
    pub(super) layer: usize,
}

/// All layers as one.
#[derive(Default)]
pub(super) struct Layers {
    entries: BTreeMap<String, Entry>,
    height: usize,
}

impl Layers {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where `key` was said last.
    pub(super) fn source(&self, key: &str) -> String {
        self.entries
            .get(key)
            .map_or_else(|| "nowhere".to_owned(), |entry| entry.source.clone())
    }

    fn put(&mut self, key: String, raw: Raw, source: &str) {
        let entry = Entry {
            raw,
            source: source.to_owned(),
            layer: self.height,
        };
        self.entries.insert(key, entry);
    }

    /// Lays the text of a TOML file on top.
    pub(super) fn toml(&mut self, source: &str, text: &str) -> Result<(), Problem> {
        self.height += 1;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // The error's own rendering quotes the line, which may hold a secret.
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            let words = error.message().lines().next().unwrap_or("is malformed");
            Problem {
                key: format!("line {line}"),
                source: source.to_owned(),
                message: format!("is not TOML: {words}"),
            }
        })?;
        self.flatten("", table, source);
        Ok(())
    }

    fn flatten(&mut self, prefix: &str, table: toml::Table, source: &str) {
        for (key, value) in table {
            let path = if prefix.is_empty() {
                key
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(inner) => self.flatten(&path, inner, source),
                toml::Value::Array(items) => {
                    let items: Option<Vec<String>> = items.iter().map(scalar).collect();
                    self.put(path, items.map_or(Raw::Other, Raw::List), source);
                }
                value => {
                    let raw = scalar(&value).map_or(Raw::Other, Raw::Text);
                    self.put(path, raw, source);
                }
            }
        }
    }

    /// Lays a file on top.
    pub(super) fn file(&mut self, path: &Path) -> Result<(), Problem> {
        let source = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Problem {
            key: "--config".to_owned(),
            source: source.clone(),
            message: format!("cannot be read ({error}); check the path"),
        })?;
        self.toml(&source, &text)
    }

    /// Lays the variables that are ours on top.
    pub(super) fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Vec<Problem> {
        self.height += 1;
        let mut problems = Vec::new();
        for (name, value) in variables {
            let Some((name, rest)) = name
                .to_str()
                .and_then(|name| Some((name, name.strip_prefix(ENV_PREFIX)?)))
            else {
                continue;
            };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let source = format!("environment {name}");
            match value.into_string() {
                Ok(text) => self.put(key, Raw::Text(text), &source),
                Err(_) => problems.push(Problem {
                    key,
                    source,
                    message: "is not UTF-8".to_owned(),
                }),
            }
        }
        problems
    }

    /// Lays settings of the command line on top; the last of one key wins.
    pub(super) fn flags(&mut self, settings: &[(String, String)]) {
        self.height += 1;
        for (key, value) in settings {
            let source = format!("flag --set {key}");
            self.put(key.clone(), Raw::Text(value.clone()), &source);
        }
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}
