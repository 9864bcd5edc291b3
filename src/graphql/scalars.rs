//! The scalars that GraphQL lacks: instants, large numbers, addresses.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime as Chrono, NaiveDateTime, SecondsFormat, Timelike as _, Utc};
use clipqueue_entities::Timestamp;
use url::Url as Parsed;

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) Timestamp);

/// An instant as RFC 3339. Given in UTC with milliseconds (`2026-03-01T12:00:00.000Z`); taken with any
/// offset, and refused without one.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let instant = Chrono::parse_from_rfc3339(text).map_err(|_| {
            InputValueError::custom(format!(
                "\"{text}\" is not an RFC 3339 instant with an offset, such as 2026-03-01T12:00:00Z or 2026-03-01T13:00:00+01:00"
            ))
        })?;
        Ok(Self(Timestamp::from_millis(instant.timestamp_millis())))
    }

    fn to_value(&self) -> Value {
        let instant = Chrono::<Utc>::from_timestamp_millis(self.0.as_millis()).unwrap_or_default();
        Value::String(instant.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<Timestamp> for DateTime {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

/// A time without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalDateTime(pub(crate) NaiveDateTime);

/// A date and time as a clock on a wall shows it, without zone and offset, in whole seconds:
/// `2027-03-28T02:30:00`. The seconds may be left out when it is given.
#[Scalar(name = "LocalDateTime")]
impl ScalarType for LocalDateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            // A leap second is no second that a clock can be set to.
            .filter(|at| at.nanosecond() == 0)
            .map(Self)
            .ok_or_else(|| {
                InputValueError::custom(format!(
                    "\"{text}\" is not a local date and time, such as 2027-03-28T02:30:00, without zone and offset"
                ))
            })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%dT%H:%M:%S").to_string())
    }
}

/// A whole number that may not fit into `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BigInt(pub(crate) i64);

/// A whole number of up to 64 bits, as a string of decimal digits, since JavaScript's numbers lose
/// the last digits of large ones. A JSON number is taken too.
#[Scalar(name = "BigInt")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| {
            InputValueError::custom("is not a whole number of 64 bits, such as \"4000000000\"")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl From<u64> for BigInt {
    fn from(number: u64) -> Self {
        // Everything counted here is far below 2^63.
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url(pub(crate) String);

/// An absolute address, such as `https://example.com/path`.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if Parsed::parse(&text).is_ok() => Ok(Self(text)),
            Value::String(text) => Err(InputValueError::custom(format!(
                "\"{text}\" is not an absolute address, such as https://example.com/done"
            ))),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_keep_their_moment_and_need_an_offset() {
        let parse = |text: &str| <DateTime as ScalarType>::parse(Value::from(text));
        let there = parse("2026-03-01T13:00:00.5+01:00").unwrap();
        assert_eq!(there.to_value(), Value::from("2026-03-01T12:00:00.500Z"),);
        for wrong in ["2026-03-01T12:00:00", "2026-03-01", "now", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_numbers_are_text() {
        assert_eq!(
            BigInt(i64::MAX).to_value(),
            Value::from("9223372036854775807")
        );
        assert_eq!(
            <BigInt as ScalarType>::parse(Value::from("4000000000")).unwrap(),
            BigInt(4_000_000_000)
        );
        for wrong in [
            Value::from("1.5"),
            Value::from(""),
            Value::from(true),
            Value::from(1.5),
        ] {
            assert!(<BigInt as ScalarType>::parse(wrong).is_err());
        }
    }
}
