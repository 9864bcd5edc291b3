//! Relay connections with keyset cursors.
//!
//! A page is `first` items behind `after`, or the `last` items before `before`. One item more than
//! asked for tells whether there is more in that direction; one look in the other direction tells the
//! rest. The place is the key of a row, so rows that come or go meanwhile shift nothing.

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    cost::{DEFAULT_PAGE, MAX_PAGE},
    error::{ApiError, Code},
};
use crate::domain::public_id;

/// Where a page lies within its list.
#[derive(Clone, Debug, Default, PartialEq, Eq, SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether items follow this page.
    has_next_page: bool,
    /// Whether items precede this page.
    has_previous_page: bool,
    /// The cursor of the first item; null on an empty page.
    start_cursor: Option<String>,
    /// The cursor of the last item; null on an empty page.
    end_cursor: Option<String>,
}

/// An item and its place in the list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name_type)]
pub(crate) struct Edge<T: OutputType> {
    /// The place, to be given as `after` or `before`. Opaque.
    cursor: String,
    /// The item.
    node: T,
}

/// One page of a list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name_type)]
pub(crate) struct Connection<T: OutputType> {
    /// The items, each with its cursor.
    edges: Vec<Edge<T>>,
    /// Where the page lies within the list.
    page_info: PageInfo,
}

impl<T: OutputType> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

impl<T: OutputType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// The key of a list's order, as a cursor carries it.
pub(crate) trait Key: Copy {
    /// Tells the cursors of different lists apart.
    const LIST: &'static str;

    /// As text.
    fn render(self) -> String;

    /// From text.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! key {
    ($($type:ty = $list:expr),+ $(,)?) => {
        $(impl Key for $type {
            const LIST: &'static str = $list;

            fn render(self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })+
    };
}

key! {
    clipqueue_entities::AuditId = "audit",
    clipqueue_entities::BulkActId = "bulk",
    clipqueue_entities::JobId = "job",
    clipqueue_entities::MediaId = "media",
    clipqueue_entities::MediaImportId = "import",
    clipqueue_entities::PostId = "post",
    clipqueue_entities::WebhookDeliveryId = "delivery",
    // An event's sequence number.
    i64 = public_id::EVENTS,
}

/// A key as clients see it.
pub(crate) fn cursor<K: Key>(key: K) -> String {
    public_id::render(K::LIST, key.render())
}

/// The key in a client's cursor.
pub(crate) fn read_cursor<K: Key>(argument: &str, text: &str) -> Result<K, ApiError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let (list, key) = text.split_once(':')?;
            (list == K::LIST).then(|| K::read(key))?
        })
        .ok_or_else(|| {
            ApiError::new(
                Code::BadUserInput,
                format!("`{argument}` is not a cursor of this list. Give back one that the list gave, unchanged."),
            )
        })
}

/// A part of a list, in terms of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span<K> {
    /// The place to read from; an end of the list, when absent.
    pub(crate) cursor: Option<K>,
    /// Towards the front of the list instead of its end.
    pub(crate) backward: bool,
    /// How many at most.
    pub(crate) limit: u64,
}

impl<K: Copy> Span<K> {
    /// The cursor as `(after, before)`.
    pub(crate) fn ends(&self) -> (Option<K>, Option<K>) {
        if self.backward {
            (None, self.cursor)
        } else {
            (self.cursor, None)
        }
    }
}

/// The arguments of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paging {
    /// `first`.
    pub(crate) first: Option<i32>,
    /// `after`.
    pub(crate) after: Option<String>,
    /// `last`.
    pub(crate) last: Option<i32>,
    /// `before`.
    pub(crate) before: Option<String>,
}

impl Paging {
    /// The page that is asked for.
    pub(crate) fn span<K: Key>(&self) -> Result<Span<K>, ApiError> {
        let backward = self.last.is_some() || self.before.is_some();
        if backward && (self.first.is_some() || self.after.is_some()) {
            return Err(ApiError::new(
                Code::BadUserInput,
                "Give `first` and `after` to page forward, or `last` and `before` to page backward, not both.",
            ));
        }
        let (name, cursor) = if backward {
            ("before", &self.before)
        } else {
            ("after", &self.after)
        };
        let cursor = cursor.as_deref().map(|text| read_cursor(name, text));
        Ok(Span {
            cursor: cursor.transpose()?,
            backward,
            limit: length(self.first.or(self.last))?,
        })
    }
}

fn length(asked: Option<i32>) -> Result<u64, ApiError> {
    let Some(asked) = asked else {
        return Ok(DEFAULT_PAGE as u64);
    };
    match u64::try_from(asked) {
        Ok(items) if (1..=MAX_PAGE as u64).contains(&items) => Ok(items),
        _ => Err(ApiError::new(
            Code::BadUserInput,
            format!("`first` and `last` must lie between 1 and {MAX_PAGE}."),
        )),
    }
}

/// Reads the page that `paging` asks for. `fetch` reads a span in the list's own order, whichever the
/// direction.
pub(crate) async fn connect<R, T, K, E, F>(
    paging: Paging,
    key: impl Fn(&R) -> K,
    node: impl Fn(R) -> T,
    fetch: impl Fn(Span<K>) -> F,
    fail: impl Fn(E) -> async_graphql::Error,
) -> async_graphql::Result<Connection<T>>
where
    T: OutputType,
    K: Key,
    F: Future<Output = Result<Vec<R>, E>>,
{
    let span = paging.span::<K>()?;
    let more = Span {
        limit: span.limit + 1,
        ..span
    };
    let mut rows = fetch(more).await.map_err(&fail)?;
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    if span.backward {
        rows.drain(..rows.len().saturating_sub(limit));
    } else {
        rows.truncate(limit);
    }
    // Without a cursor the page begins at an end of the list, and nothing lies beyond.
    let has_other = span.cursor.is_some() && {
        let near = if span.backward {
            rows.last()
        } else {
            rows.first()
        };
        let beyond = Span {
            cursor: near.map(&key),
            // Around an empty page everything lies on the other side.
            backward: span.backward != near.is_some(),
            limit: 1,
        };
        !fetch(beyond).await.map_err(&fail)?.is_empty()
    };
    let (has_previous_page, has_next_page) = if span.backward {
        (has_more, has_other)
    } else {
        (has_other, has_more)
    };
    let page_info = PageInfo {
        has_next_page,
        has_previous_page,
        start_cursor: rows.first().map(|row| cursor(key(row))),
        end_cursor: rows.last().map(|row| cursor(key(row))),
    };
    let edges = rows
        .into_iter()
        .map(|row| Edge {
            cursor: cursor(key(&row)),
            node: node(row),
        })
        .collect();
    Ok(Connection { edges, page_info })
}

#[cfg(test)]
mod tests {
    use clipqueue_entities::{MediaId, PostId};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_in_its_own_list_only(seq in any::<i64>(), id in any::<u128>()) {
            prop_assert_eq!(read_cursor::<i64>("after", &cursor(seq)).ok(), Some(seq));
            let id = PostId(uuid::Uuid::from_u128(id));
            prop_assert_eq!(read_cursor::<PostId>("after", &cursor(id)).ok(), Some(id));
            prop_assert!(read_cursor::<MediaId>("after", &cursor(id)).is_err());
        }

        #[test]
        fn any_cursor_and_length_are_read_without_panic(
            text in ".{0,80}",
            inner in "(event|post|media|job)?:?[0-9a-f-]{0,40}",
            first in any::<Option<i32>>(),
            last in any::<Option<i32>>(),
        ) {
            for text in [text, URL_SAFE_NO_PAD.encode(inner)] {
                let paging = Paging { first, after: Some(text.clone()), last, before: None };
                if let Ok(span) = paging.span::<i64>() {
                    prop_assert!((1..=MAX_PAGE as u64).contains(&span.limit));
                }
                let _ = Paging { first, after: None, last, before: Some(text) }.span::<PostId>();
            }
        }
    }
}
