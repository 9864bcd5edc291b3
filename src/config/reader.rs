//! Reads one key at a time out of the merged layers and collects what is wrong with each.

use std::{collections::BTreeSet, fmt, fs, path::Path, time::Duration};

use secrecy::SecretString;

use super::{
    layers::{Layers, Raw},
    units::{MAX_DURATION, parse_duration},
};

/// How far a wrong key may be from a right one to be taken for it.
const TYPO: usize = 3;
/// Where container runtimes mount secrets; nobody else is in there to read them.
const RUNTIME_SECRETS: &str = "/run/secrets";

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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {}): {}", self.key, self.source, self.message)
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem:")?,
            many => write!(f, "the configuration has {many} problems:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects values and problems.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    known: BTreeSet<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, problems: Vec<Problem>) -> Self {
        Self {
            layers,
            known: BTreeSet::new(),
            problems,
            warnings: Vec::new(),
        }
    }

    /// Notes a problem of `key`.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.note(key, message);
        self.problems.push(problem);
    }

    fn note(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem {
            key: key.to_owned(),
            source: self.layers.source(key),
            message: message.into(),
        }
    }

    /// The text of `key`.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.known.insert(key.to_owned());
        match self.layers.get(key).map(|entry| &entry.raw) {
            Some(Raw::Text(text)) => text.clone(),
            Some(Raw::List(_) | Raw::Other) | None => {
                self.problem(key, "must be one text or number");
                String::new()
            }
        }
    }

    /// `key`, or the content of the file that `{key}_file` names, whichever was said in the higher
    /// layer.
    pub(super) fn secret(&mut self, key: &str) -> SecretString {
        let file_key = twin(key);
        self.known.insert(file_key.clone());
        let Some(entry) = self.layers.get(&file_key) else {
            return self.text(key).into();
        };
        let Raw::Text(path) = &entry.raw else {
            self.problem(&file_key, "must be the path of a file");
            return self.text(key).into();
        };
        let said = self.layers.get(key).map(|entry| entry.layer);
        if path.is_empty() || said > Some(entry.layer) {
            return self.text(key).into();
        }
        if said == Some(entry.layer) {
            self.problem(
                &file_key,
                format!("is given beside {key}; give one of the two"),
            );
        }
        self.known.insert(key.to_owned());
        let path = Path::new(path);
        match fs::read_to_string(path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    self.problem(&file_key, format!("{} is empty", path.display()));
                }
                if others_may_read(path) {
                    let message = format!(
                        "{} can be read by every user of this machine; run: chmod go-rwx {0}",
                        path.display()
                    );
                    let warning = self.note(&file_key, message);
                    self.warnings.push(warning);
                }
                text.to_owned().into()
            }
            Err(error) => {
                self.problem(
                    &file_key,
                    format!("cannot read {}: {error}", path.display()),
                );
                String::new().into()
            }
        }
    }

    /// Whether the value of the secret `key` could be read, so that a rule about it makes sense.
    pub(super) fn has_problem(&self, key: &str) -> bool {
        let twin = twin(key);
        self.problems
            .iter()
            .any(|problem| problem.key == key || problem.key == twin)
    }

    /// Notes a problem of the secret `key`, at the place that gave its value.
    pub(super) fn secret_problem(&mut self, key: &str, message: &str) {
        let file_key = twin(key);
        let file = self.layers.get(&file_key).map(|entry| entry.layer);
        let plain = self.layers.get(key).map(|entry| entry.layer);
        if file >= plain && file.is_some() {
            self.problem(&file_key, message);
        } else {
            self.problem(key, message);
        }
    }

    /// `key` parsed by `parse`, or the problem `expected`, which quotes the text.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let reported = self.problems.len();
        let text = self.text(key);
        if self.problems.len() > reported {
            return None;
        }
        let value = parse(&text);
        if value.is_none() {
            self.problem(key, format!("{} is not {expected}", quoted(&text)));
        }
        value
    }

    /// A duration longer than zero.
    pub(super) fn duration(&mut self, key: &str) -> Duration {
        let value = self.duration_or_zero(key);
        if value == Some(Duration::ZERO) {
            self.problem(key, "must be longer than zero");
        }
        value.unwrap_or_default()
    }

    /// A duration that may be zero.
    pub(super) fn duration_or_zero(&mut self, key: &str) -> Option<Duration> {
        let value = self.parsed(key, "a duration such as 15s, 10m or 24h", parse_duration)?;
        if value > MAX_DURATION {
            self.problem(key, "must be ten years at most");
        }
        Some(value)
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

    /// A list; a single comma-separated text is taken apart.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        self.known.insert(key.to_owned());
        match self.layers.get(key).map(|entry| &entry.raw) {
            Some(Raw::List(items)) => items.clone(),
            Some(Raw::Text(text)) => text
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
            Some(Raw::Other) | None => {
                self.problem(key, "must be a list of texts");
                Vec::new()
            }
        }
    }

    /// A list whose items `parse` takes, each with its own problem.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in self.list(key) {
            match parse(&item) {
                Some(value) => parsed.push(value),
                None => self.problem(key, format!("{} is not {expected}", quoted(&item))),
            }
        }
        parsed
    }

    /// The keys that were asked for.
    pub(super) fn known(&self) -> &BTreeSet<String> {
        &self.known
    }

    /// What is allowed and yet unwise.
    pub(super) fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Reports keys that nobody asked for, and ends.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        let layers = self.layers;
        for key in layers.keys() {
            if !self.known.contains(key) {
                let hint = self.hint(key);
                self.problem(key, format!("is not a key of Clipqueue{hint}"));
            }
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(self.problems))
        }
    }

    fn hint(&self, key: &str) -> String {
        let section = format!("{key}.");
        if self.known.iter().any(|known| known.starts_with(&section)) {
            return "; it is a section, whose keys are config/default.toml's".to_owned();
        }
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        self.known
            .iter()
            .map(|known| (distance(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= TYPO)
            .map(|(_, known)| known)
            // The right word in a wrong section.
            .or_else(|| self.known.iter().find(|known| last(known) == last(key)))
            .map_or_else(
                || "; config/default.toml lists them".to_owned(),
                |known| format!("; did you mean {known}?"),
            )
    }
}

/// The key whose value is the path of a file that holds the secret `key`.
fn twin(key: &str) -> String {
    format!("{key}_file")
}

/// The text for a problem, unless it may hold a password.
fn quoted(text: &str) -> String {
    if text.contains('@') {
        "its value (not shown, since it holds an @)".to_owned()
    } else {
        format!("`{text}`")
    }
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    /// The bits of the group and of all others to read.
    const FOREIGN_READ: u32 = 0o044;
    !path.starts_with(RUNTIME_SECRETS)
        && fs::metadata(path).is_ok_and(|about| about.permissions().mode() & FOREIGN_READ != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
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
