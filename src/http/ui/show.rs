//! How values look on a page: times, sizes, states. What is written here needs no escaping.

use std::{fmt, time::Duration};

use askama::filters::HtmlSafe;
use chrono::{DateTime, Utc};
use clipqueue_entities::{Timestamp, job::JobState, post::PostState};

/// An instant, as people say it, with its exact value in the title; or none.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct When {
    at: Option<Timestamp>,
    now: Timestamp,
}

impl When {
    pub(in crate::http) fn new(at: impl Into<Option<Timestamp>>, now: Timestamp) -> Self {
        Self { at: at.into(), now }
    }

    fn utc(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.at?.as_millis())
    }

    /// Whether there is one.
    pub(in crate::http) fn is_known(&self) -> bool {
        self.at.is_some()
    }

    /// Whether it has come.
    pub(in crate::http) fn is_past(&self) -> bool {
        self.at.is_some_and(|at| at <= self.now)
    }

    /// The instant by the clock.
    pub(in crate::http) fn exact(&self) -> String {
        let utc = self.utc();
        utc.map_or_else(
            || "never".to_owned(),
            |utc| utc.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
    }

    /// Both ways to say it.
    pub(in crate::http) fn full(&self) -> Full {
        Full(*self)
    }
}

/// An instant as people are told a date: `2026-12-30 12:15 UTC`. The minute that has begun.
pub(in crate::http) fn minute(at: Timestamp) -> String {
    let utc: Option<DateTime<Utc>> = DateTime::from_timestamp_millis(at.as_millis());
    utc.map_or_else(String::new, |utc| {
        utc.format("%Y-%m-%d %H:%M UTC").to_string()
    })
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(at), Some(utc)) = (self.at, self.utc()) else {
            return f.write_str(NONE);
        };
        let (ahead, behind) = (at.since(self.now), self.now.since(at));
        write!(
            f,
            "<time datetime=\"{}\" title=\"{}\">",
            utc.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
            self.exact()
        )?;
        match (ahead.as_secs(), behind.as_secs()) {
            (0, 0) => f.write_str("now")?,
            (0, _) => write!(f, "{} ago", Span(behind))?,
            _ => write!(f, "in {}", Span(ahead))?,
        }
        f.write_str("</time>")
    }
}

impl HtmlSafe for When {}

/// What stands where there is nothing.
const NONE: &str = "<span class=\"none\">–</span>";

/// The exact instant, followed by how long ago that was.
pub(in crate::http) struct Full(When);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_known() {
            return f.write_str(NONE);
        }
        write!(
            f,
            "{} <span class=\"quiet\">({})</span>",
            self.0.exact(),
            self.0
        )
    }
}

impl HtmlSafe for Full {}

/// A length of time in its largest unit.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Span(pub(in crate::http) Duration);

impl Span {
    /// Whether there is none.
    pub(super) const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..120 => write!(f, "{seconds} s"),
            120..7_200 => write!(f, "{} min", seconds / 60),
            7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

impl HtmlSafe for Span {}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Bytes(pub(in crate::http) i64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tenth of the unit is exact enough, and whole numbers cannot be off.
        let tenths = |unit: i64| {
            (
                self.0.saturating_mul(10) / unit / 10,
                self.0.saturating_mul(10) / unit % 10,
            )
        };
        let (unit, word) = match self.0 {
            i64::MIN..1_000 => return write!(f, "{} B", self.0),
            1_000..1_000_000 => (1_000, "kB"),
            1_000_000..1_000_000_000 => (1_000_000, "MB"),
            1_000_000_000.. => (1_000_000_000, "GB"),
        };
        let (whole, tenth) = tenths(unit);
        write!(f, "{whole}.{tenth} {word}")
    }
}

impl HtmlSafe for Bytes {}

/// A number of things, in groups of three digits, with a sign when it is only a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Number {
    pub(in crate::http) value: u64,
    pub(in crate::http) or_more: bool,
}

impl Number {
    pub(in crate::http) const fn exact(value: u64) -> Self {
        Self {
            value,
            or_more: false,
        }
    }

    pub(in crate::http) const fn is_one(self) -> bool {
        self.value == 1 && !self.or_more
    }

    pub(in crate::http) const fn is_zero(self) -> bool {
        self.value == 0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.value.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                // A narrow space that does not break.
                f.write_str("\u{202f}")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(if self.or_more { "+" } else { "" })
    }
}

impl HtmlSafe for Number {}

/// A state as a word with a colour.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Chip {
    word: &'static str,
    tone: &'static str,
}

impl Chip {
    pub(in crate::http) const fn new(word: &'static str, tone: &'static str) -> Self {
        Self { word, tone }
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"chip {}\">{}</span>", self.tone, self.word)
    }
}

impl HtmlSafe for Chip {}

impl From<JobState> for Chip {
    fn from(state: JobState) -> Self {
        let tone = match state {
            JobState::Scheduled | JobState::Available => "calm",
            JobState::Running => "busy",
            JobState::Completed => "good",
            JobState::Retryable | JobState::Held => "warn",
            JobState::Discarded => "bad",
            JobState::Cancelled => "over",
        };
        Self::new(state.as_str(), tone)
    }
}

impl From<PostState> for Chip {
    fn from(state: PostState) -> Self {
        match state {
            PostState::Draft => Self::new("draft", "over"),
            PostState::Scheduled => Self::new("scheduled", "calm"),
            PostState::Held => Self::new("held", "warn"),
            PostState::Preflight => Self::new("preflight", "busy"),
            PostState::InitSent => Self::new("init sent", "busy"),
            PostState::Uploading => Self::new("uploading", "busy"),
            PostState::Processing => Self::new("processing", "busy"),
            PostState::InInbox => Self::new("in inbox", "good"),
            PostState::Published => Self::new("published", "good"),
            PostState::Unconfirmed => Self::new("unconfirmed", "warn"),
            PostState::Failed => Self::new("failed", "bad"),
            PostState::Cancelled => Self::new("cancelled", "over"),
            PostState::Missed => Self::new("missed", "bad"),
            PostState::Lapsed => Self::new("lapsed", "over"),
        }
    }
}

/// At most `limit` characters of a text of unknown length.
pub(in crate::http) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What a held job waits for, in a sentence.
pub(in crate::http) fn hold_sentence(reason: &str) -> &'static str {
    match reason {
        "unknown_kind" => {
            "This version does not know the kind. Finish the roll-out; it goes on by itself."
        }
        "unreadable_args" => "Its arguments cannot be read. Look at them, then cancel it.",
        "reauth_required" => {
            "The creator must connect the TikTok account again; it goes on by itself."
        }
        "scope_missing" => "The creator must connect again and leave the switch for posting on.",
        _ => "It goes on when what it waits for is there, or when somebody retries it.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn times_are_told_from_now_and_exactly() {
        let said = |seconds: i64| When::new(at(seconds), at(0)).to_string();
        assert!(said(0).ends_with(">now</time>"));
        assert!(said(-90).ends_with(">90 s ago</time>"));
        assert!(said(-7_000).ends_with(">116 min ago</time>"));
        assert!(said(7_200).ends_with(">in 2 h</time>"));
        assert!(said(-200_000).ends_with(">2 days ago</time>"));
        assert!(
            said(0).contains("title=\"2027-01-15 08:00:00 UTC\""),
            "{}",
            said(0)
        );
        assert_eq!(When::new(None, at(0)).to_string(), NONE);
    }

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        let number = |value| {
            Number {
                value,
                or_more: false,
            }
            .to_string()
            .replace('\u{202f}', " ")
        };
        assert_eq!(number(7), "7");
        assert_eq!(number(1234), "1 234");
        assert_eq!(number(1_234_567), "1 234 567");
        assert!(
            Number {
                value: 1,
                or_more: true
            }
            .to_string()
            .ends_with('+')
        );
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(1_500_000).to_string(), "1.5 MB");
        assert_eq!(cut("aäb", 2), "aä…");
        assert_eq!(cut("aä", 2), "aä");
    }
}
