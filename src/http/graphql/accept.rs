//! Which format an answer takes and which a body may have.
//!
//! The rules are those of the GraphQL over HTTP draft: `application/graphql-response+json` is given to
//! those who ask for it, `application/json` to everybody who would take anything.

use http::{HeaderMap, HeaderValue, header};

use crate::graphql::error::{ApiError, Code};

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: refusals of a readable request are answered 200, for the sake of old clients.
    Json,
    /// `application/graphql-response+json`: the status says whether the operation ran.
    GraphqlResponse,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    /// The better of the two by `Accept`; an error if the client takes neither.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<Self, ApiError> {
        let ranges = ranges(headers);
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        let json = weigh(&ranges, "application", "json");
        let graphql = weigh(&ranges, "application", "graphql-response+json");
        match (json, graphql) {
            (None, None) => Err(ApiError::new(
                Code::NotAcceptable,
                "Answers come as application/graphql-response+json or application/json. Accept one of them.",
            )),
            (Some(_), None) => Ok(Self::Json),
            (None, Some(_)) => Ok(Self::GraphqlResponse),
            (Some(json), Some(graphql)) => {
                Ok(if graphql.exact && graphql.quality >= json.quality {
                    Self::GraphqlResponse
                } else {
                    Self::Json
                })
            }
        }
    }
}

/// Whether `Accept` takes an event stream.
pub(super) fn takes_event_stream(headers: &HeaderMap) -> Result<(), ApiError> {
    let ranges = ranges(headers);
    if ranges.is_empty() || weigh(&ranges, "text", "event-stream").is_some() {
        return Ok(());
    }
    Err(ApiError::new(
        Code::NotAcceptable,
        "This address answers with text/event-stream. Accept it.",
    ))
}

/// Refuses a body that is not plain JSON in UTF-8. This also keeps web forms of other sites out, since
/// a form cannot send this type.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |message: &'static str| Err(ApiError::new(Code::UnsupportedMediaType, message));
    let Some(range) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(Range::parse)
    else {
        return refuse("Send the body as `Content-Type: application/json`.");
    };
    if (range.kind.as_str(), range.subtype.as_str()) != ("application", "json") {
        return refuse("Only application/json bodies are read.");
    }
    if !range.utf8 {
        return refuse("Only UTF-8 is read.");
    }
    match headers
        .get(header::CONTENT_ENCODING)
        .map(HeaderValue::as_bytes)
    {
        None | Some(b"identity") => Ok(()),
        Some(_) => refuse("Compressed bodies are not read."),
    }
}

struct Range {
    kind: String,
    subtype: String,
    quality: f32,
    utf8: bool,
}

impl Range {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (kind, subtype) = name.split_once('/').unwrap_or((&name, ""));
        let mut range = Self {
            kind: kind.to_owned(),
            subtype: subtype.to_owned(),
            quality: 1.0,
            utf8: true,
        };
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = value.parse().unwrap_or(1.0),
                "charset" => {
                    range.utf8 =
                        value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8");
                }
                _ => {}
            }
        }
        range
    }
}

struct Weight {
    quality: f32,
    exact: bool,
}

/// How much a client wants a type, by the most specific range that covers it.
fn weigh(ranges: &[Range], kind: &str, subtype: &str) -> Option<Weight> {
    ranges
        .iter()
        .filter(|range| range.utf8)
        .filter_map(|range| {
            let specificity = match (range.kind.as_str(), range.subtype.as_str()) {
                (k, s) if k == kind && s == subtype => 2,
                (k, "*") if k == kind => 1,
                ("*", "*") => 0,
                _ => return None,
            };
            Some((specificity, range.quality))
        })
        .max_by_key(|(specificity, _)| *specificity)
        .filter(|(_, quality)| *quality > 0.0)
        .map(|(specificity, quality)| Weight {
            quality,
            exact: specificity == 2,
        })
}

fn ranges(headers: &HeaderMap) -> Vec<Range> {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !range.trim().is_empty())
        .map(Range::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn negotiated(accept: &str) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        MediaType::negotiate(&headers).ok()
    }

    #[test]
    fn the_answer_takes_the_format_that_the_client_prefers() {
        use MediaType::{GraphqlResponse, Json};
        let cases = [
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/graphql-response+json", Some(GraphqlResponse)),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(GraphqlResponse),
            ),
            (
                "application/json, application/graphql-response+json;q=0.5",
                Some(Json),
            ),
            (
                "application/graphql-response+json, */*",
                Some(GraphqlResponse),
            ),
            // JSON is refused by name, so the other type of the group is left.
            ("application/json;q=0, application/*", Some(GraphqlResponse)),
            ("application/json; charset=utf-8", Some(Json)),
            ("application/json; charset=latin1", None),
            ("text/html", None),
            ("*/*;q=0", None),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiated(accept), expected, "{accept}");
        }
    }
}
