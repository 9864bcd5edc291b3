//! Reading single fields out of a JSON object with tolerance: a field that is absent, null or of
//! another type is simply not there. What an answer cannot do without is asked for by `need_*`.

use serde_json::{Map, Value};

use crate::error::Malformed;
use crate::ids::PostId;

/// A JSON object that is read field by field.
#[derive(Debug, Default)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A text, unless it is empty: TikTok writes absent values as empty ones in places.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    pub(crate) fn need_filled(&self, name: &'static str) -> Result<&str, Malformed> {
        self.filled(name).ok_or(Malformed::Missing(name))
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.filled(name).map(str::to_owned)
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    pub(crate) fn unsigned(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub(crate) fn signed(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn list(&self, name: &str) -> Option<&Vec<Value>> {
        self.0.get(name).and_then(Value::as_array)
    }

    pub(crate) fn take_object(&mut self, name: &str) -> Option<Self> {
        match self.0.remove(name) {
            Some(Value::Object(object)) => Some(Self(object)),
            _ => None,
        }
    }

    pub(crate) fn take_list(&mut self, name: &str) -> Vec<Value> {
        match self.0.remove(name) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        }
    }

    pub(crate) fn post_id(&self, name: &str) -> Option<PostId> {
        self.0.get(name).and_then(PostId::from_json)
    }
}
