//! What is looked for: each identifier in every form in which something may be stored.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// A shorter text is part of other words by chance: it counts only as a word of its own.
const SHORT: usize = 6;

/// Identifiers, ready to be looked for all at once.
pub struct Needle {
    matcher: AhoCorasick,
    /// For each pattern the place of its identifier.
    owners: Vec<usize>,
    identifiers: Vec<String>,
}

impl Needle {
    /// Of texts. Ids are also found without hyphens, as bytes and within base64, texts also as JSON
    /// writes them.
    pub fn new(identifiers: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let identifiers: Vec<String> = identifiers
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut owners = Vec::new();
        for (at, text) in identifiers.iter().enumerate() {
            for form in forms(text) {
                patterns.push(form);
                owners.push(at);
            }
        }
        let matcher = AhoCorasick::new(&patterns).context("preparing the search")?;
        Ok(Self {
            matcher,
            owners,
            identifiers,
        })
    }

    /// How many identifiers there are.
    pub fn len(&self) -> usize {
        self.identifiers.len()
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
    }

    /// The identifiers in `value`, each once.
    pub fn in_bytes(&self, value: &[u8]) -> BTreeSet<&str> {
        self.matcher
            .find_overlapping_iter(value)
            .filter(|hit| {
                let text = &self.identifiers[self.owners[hit.pattern().as_usize()]];
                text.len() >= SHORT || is_word(value, hit.start(), hit.end())
            })
            .map(|hit| self.identifiers[self.owners[hit.pattern().as_usize()]].as_str())
            .collect()
    }
}

fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    if let Ok(id) = Uuid::try_parse(text) {
        forms.push(id.simple().to_string().into_bytes());
        forms.push(id.as_bytes().to_vec());
        forms.extend((0..3).map(|place| in_base64(text, place)));
    }
    let json = serde_json::Value::from(text).to_string();
    let inner = json.as_bytes()[1..json.len() - 1].to_vec();
    if inner != forms[0] {
        forms.push(inner);
    }
    forms
}

/// What of `text` is the same in every base64 that has it at this place, counted in threes: our public
/// ids hide the plain ones so.
fn in_base64(text: &str, place: usize) -> Vec<u8> {
    let mut bytes = vec![0; place];
    bytes.extend(text.as_bytes());
    let whole = bytes.len() * 8 / 6;
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    encoded.as_bytes()[(place * 8).div_ceil(6)..whole].to_vec()
}

fn is_word(value: &[u8], start: usize, end: usize) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let before = start.checked_sub(1).and_then(|at| value.get(at));
    !is_part(before) && !is_part(value.get(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_in_every_form() {
        let id = Uuid::now_v7();
        let texts = [id.to_string(), "say \"hi\"".to_owned(), "ada".to_owned()];
        let needle = Needle::new(texts).unwrap();
        let found = |bytes: &[u8]| needle.in_bytes(bytes).len();
        assert_eq!(found(format!("x{id}y").as_bytes()), 1);
        assert_eq!(found(id.simple().to_string().as_bytes()), 1);
        assert_eq!(found(id.as_bytes()), 1);
        assert_eq!(found(br#"{"caption":"say \"hi\" now"}"#), 1);
        assert_eq!(found(b"user ada left"), 1);
        assert_eq!(found(b"Canada, adage"), 0);
        assert_eq!(found(b"nothing"), 0);
    }
}
