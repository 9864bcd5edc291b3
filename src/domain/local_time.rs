//! A local time in an IANA zone, and the instant that it means.
//!
//! Where clocks are set forward some local times do not exist (a gap); where they are set back some
//! exist twice (an overlap). The caller says what is meant then; the defaults are those of RFC 5545
//! and of calendars: a time in a gap moves forward by the gap's length, of two equal times the
//! earlier is taken. Pure: the zones' rules are compiled in. Knows no post.

use chrono::{
    DateTime, MappedLocalTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _,
    Utc,
};
use chrono_tz::Tz;
use clipqueue_entities::Timestamp;
use serde::{Deserialize, Serialize};

/// Further from UTC than any zone ever was, in hours.
const FURTHEST_OFFSET: i64 = 16;

/// What a time that does not exist means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapRule {
    /// As much later as the clocks are set forward: 02:30 becomes 03:30.
    #[default]
    Later,
    /// As much earlier: 02:30 becomes 01:30.
    Earlier,
    /// It is refused.
    Refuse,
}

/// What a time that exists twice means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapRule {
    /// The first of the two.
    #[default]
    Earlier,
    /// The second.
    Later,
    /// It is refused.
    Refuse,
}

/// A time as a clock on a wall shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalTime {
    /// What the clock shows, in whole seconds.
    pub at: NaiveDateTime,
    /// The zone's IANA name.
    pub zone: String,
    /// What it means in a gap.
    pub gap: GapRule,
    /// What it means in an overlap.
    pub overlap: OverlapRule,
}

/// How a local time became an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// It exists once.
    Exact,
    /// It does not exist, and was moved later.
    MovedLater,
    /// It does not exist, and was moved earlier.
    MovedEarlier,
    /// It exists twice; this is the first.
    FirstOfTwo,
    /// It exists twice; this is the second.
    SecondOfTwo,
}

/// The instant of a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The instant.
    pub at: Timestamp,
    /// How it came about.
    pub how: Resolution,
    /// Seconds by which the zone's clocks are ahead of UTC at that instant.
    pub offset_s: i32,
}

/// Why a local time has no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such zone.
    #[error(
        "\"{0}\" is not an IANA time zone; write a name such as Europe/Berlin or America/New_York"
    )]
    UnknownZone(String),
    /// It does not exist, and the caller wants no other.
    #[error("does not exist in {0}: the clocks are set forward over it; choose another time")]
    Gap(String),
    /// It exists twice, and the caller wants neither by a rule.
    #[error(
        "exists twice in {0}: the clocks are set back over it; choose another time or give an instant"
    )]
    Overlap(String),
    /// Outside of what can be counted.
    #[error("is out of range; choose a time within the next year")]
    OutOfRange,
}

impl LocalTime {
    /// The instant that it means by the rules of today.
    pub fn resolve(&self) -> Result<Resolved, Unresolved> {
        let zone: Tz = self
            .zone
            .parse()
            .map_err(|_| Unresolved::UnknownZone(self.zone.clone()))?;
        let at = self.at.with_nanosecond(0).ok_or(Unresolved::OutOfRange)?;
        match zone.from_local_datetime(&at) {
            MappedLocalTime::Single(one) => Ok(resolved(zone, one.to_utc(), Resolution::Exact)),
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (one.to_utc(), other.to_utc());
                match self.overlap {
                    OverlapRule::Earlier => {
                        Ok(resolved(zone, one.min(other), Resolution::FirstOfTwo))
                    }
                    OverlapRule::Later => {
                        Ok(resolved(zone, one.max(other), Resolution::SecondOfTwo))
                    }
                    OverlapRule::Refuse => Err(Unresolved::Overlap(self.zone.clone())),
                }
            }
            MappedLocalTime::None => {
                let (before, after) = around_gap(zone, at)?;
                match self.gap {
                    // With the offset before the gap the wall clock, read on, ends behind the gap.
                    GapRule::Later => Ok(resolved(zone, utc(at, before)?, Resolution::MovedLater)),
                    GapRule::Earlier => {
                        Ok(resolved(zone, utc(at, after)?, Resolution::MovedEarlier))
                    }
                    GapRule::Refuse => Err(Unresolved::Gap(self.zone.clone())),
                }
            }
        }
    }
}

/// The local time of an instant in a zone, for display.
pub fn in_zone(at: Timestamp, zone: &str) -> Option<NaiveDateTime> {
    let zone: Tz = zone.parse().ok()?;
    let utc = DateTime::<Utc>::from_timestamp_millis(at.as_millis())?;
    Some(utc.with_timezone(&zone).naive_local())
}

/// The version of the zones' rules that are compiled in.
pub fn rules_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

fn resolved(zone: Tz, at: DateTime<Utc>, how: Resolution) -> Resolved {
    Resolved {
        at: Timestamp::from_millis(at.timestamp_millis()),
        how,
        offset_s: offset(zone, at),
    }
}

fn offset(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc()
}

fn utc(local: NaiveDateTime, offset_s: i32) -> Result<DateTime<Utc>, Unresolved> {
    local
        .checked_sub_signed(TimeDelta::seconds(i64::from(offset_s)))
        .map(|at| at.and_utc())
        .ok_or(Unresolved::OutOfRange)
}

/// The offsets before and after the gap that holds `local`: the wall clock passes it by between two
/// seconds, which halving finds.
fn around_gap(zone: Tz, local: NaiveDateTime) -> Result<(i32, i32), Unresolved> {
    let passed = |at: DateTime<Utc>| {
        at.naive_utc()
            .checked_add_signed(TimeDelta::seconds(i64::from(offset(zone, at))))
            .is_none_or(|clock| clock > local)
    };
    let reach = TimeDelta::hours(FURTHEST_OFFSET);
    let shown = |at: Option<NaiveDateTime>| at.map(|at| at.and_utc()).ok_or(Unresolved::OutOfRange);
    let mut before = shown(local.checked_sub_signed(reach))?;
    let mut after = shown(local.checked_add_signed(reach))?;
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if passed(middle) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Ok((offset(zone, before), offset(zone, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(at: &str, zone: &str) -> LocalTime {
        LocalTime {
            at: at.parse().unwrap(),
            zone: zone.to_owned(),
            gap: GapRule::default(),
            overlap: OverlapRule::default(),
        }
    }

    fn told(time: &LocalTime) -> (String, Resolution) {
        let resolved = time.resolve().unwrap();
        let at = DateTime::<Utc>::from_timestamp_millis(resolved.at.as_millis()).unwrap();
        (at.format("%FT%TZ").to_string(), resolved.how)
    }

    #[test]
    fn gaps_and_overlaps_follow_the_rule_that_was_chosen() {
        let mut gap = local("2027-03-28T02:30:00", "Europe/Berlin");
        assert_eq!(
            told(&gap),
            ("2027-03-28T01:30:00Z".into(), Resolution::MovedLater)
        );
        gap.gap = GapRule::Earlier;
        assert_eq!(
            told(&gap),
            ("2027-03-28T00:30:00Z".into(), Resolution::MovedEarlier)
        );
        gap.gap = GapRule::Refuse;
        assert_eq!(gap.resolve(), Err(Unresolved::Gap("Europe/Berlin".into())));
        let mut twice = local("2027-10-31T02:30:00", "Europe/Berlin");
        assert_eq!(
            told(&twice),
            ("2027-10-31T00:30:00Z".into(), Resolution::FirstOfTwo)
        );
        twice.overlap = OverlapRule::Later;
        assert_eq!(
            told(&twice),
            ("2027-10-31T01:30:00Z".into(), Resolution::SecondOfTwo)
        );
        twice.overlap = OverlapRule::Refuse;
        assert!(matches!(twice.resolve(), Err(Unresolved::Overlap(_))));
        let plain = local("2027-07-01T09:00:00", "America/New_York");
        assert_eq!(
            told(&plain),
            ("2027-07-01T13:00:00Z".into(), Resolution::Exact)
        );
        assert_eq!(plain.resolve().unwrap().offset_s, -4 * 3600);
    }

    #[test]
    fn strange_zones_are_right() {
        // Half an hour, a whole day, a quarter.
        let half = local("2027-10-03T02:15:00", "Australia/Lord_Howe");
        assert_eq!(
            told(&half),
            ("2027-10-02T15:45:00Z".into(), Resolution::MovedLater)
        );
        let day = local("2011-12-30T12:00:00", "Pacific/Apia");
        assert_eq!(
            told(&day),
            ("2011-12-30T22:00:00Z".into(), Resolution::MovedLater)
        );
        let quarter = local("2027-01-01T00:00:00", "Asia/Kathmandu");
        assert_eq!(
            told(&quarter),
            ("2026-12-31T18:15:00Z".into(), Resolution::Exact)
        );
        for wrong in ["Berlin", "", "Mars/Olympus"] {
            let time = local("2027-01-01T00:00:00", wrong);
            assert!(
                matches!(time.resolve(), Err(Unresolved::UnknownZone(_))),
                "{wrong}"
            );
        }
    }

    /// The first instant after each change of a zone's offset between two years.
    fn transitions(zone: Tz, from: i32, to: i32) -> Vec<DateTime<Utc>> {
        let start = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
        let (mut at, end) = (start(from), start(to));
        let mut found = Vec::new();
        while at < end {
            let next = at + TimeDelta::days(3);
            if offset(zone, at) != offset(zone, next) {
                let (mut low, mut high) = (at, next);
                while high - low > TimeDelta::seconds(1) {
                    let middle = low + TimeDelta::seconds((high - low).num_seconds() / 2);
                    if offset(zone, middle) == offset(zone, at) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                found.push(high);
            }
            at = next;
        }
        found
    }

    /// Around every change of every zone: a time that exists is shown by the wall clock at its
    /// instant; of two the rule's is taken; one that does not exist is moved by exactly the gap.
    #[test]
    fn every_transition_of_every_zone_keeps_the_rules() {
        let (mut gaps, mut overlaps) = (0, 0);
        for zone in chrono_tz::TZ_VARIANTS {
            for change in transitions(zone, 2024, 2029) {
                let before = offset(zone, change - TimeDelta::seconds(1));
                let after = offset(zone, change);
                let width = i64::from(after - before);
                let edge = change.naive_utc() + TimeDelta::seconds(i64::from(before.min(after)));
                for shift in [-1, 0, 1, width.abs() / 2, width.abs() - 1, width.abs()] {
                    let at = edge + TimeDelta::seconds(shift);
                    let inside = (0..width.abs()).contains(&shift);
                    let asked = |gap, overlap| {
                        LocalTime {
                            at,
                            zone: zone.name().to_owned(),
                            gap,
                            overlap,
                        }
                        .resolve()
                    };
                    let clock = |it: Resolved| in_zone(it.at, zone.name()).unwrap();
                    let usual = asked(GapRule::Later, OverlapRule::Earlier).unwrap();
                    let other = asked(GapRule::Earlier, OverlapRule::Later).unwrap();
                    let refused = asked(GapRule::Refuse, OverlapRule::Refuse);
                    if !inside {
                        assert_eq!(usual, other, "{zone} {at}");
                        assert_eq!(usual.how, Resolution::Exact, "{zone} {at}");
                        assert_eq!(refused, Ok(usual), "{zone} {at}");
                        assert_eq!(clock(usual), at, "{zone}");
                    } else if width > 0 {
                        gaps += 1;
                        assert_eq!(usual.how, Resolution::MovedLater, "{zone} {at}");
                        assert_eq!(clock(usual), at + TimeDelta::seconds(width), "{zone}");
                        assert_eq!(clock(other), at - TimeDelta::seconds(width), "{zone}");
                        assert!(matches!(refused, Err(Unresolved::Gap(_))), "{zone} {at}");
                    } else {
                        overlaps += 1;
                        assert_eq!((clock(usual), clock(other)), (at, at), "{zone}");
                        let apart = other.at.as_millis() - usual.at.as_millis();
                        assert_eq!(apart, -width * 1000, "{zone} {at}");
                        assert!(
                            matches!(refused, Err(Unresolved::Overlap(_))),
                            "{zone} {at}"
                        );
                    }
                }
            }
        }
        assert!(gaps > 1_000 && overlaps > 1_000, "{gaps} {overlaps}");
    }

    #[test]
    fn what_is_stored_comes_back() {
        let time = local("2027-03-28T02:30:00", "Europe/Berlin");
        let stored = serde_json::to_value(&time).unwrap();
        assert_eq!(
            stored,
            serde_json::json!({ "at": "2027-03-28T02:30:00", "zone": "Europe/Berlin",
                "gap": "later", "overlap": "earlier" })
        );
        assert_eq!(serde_json::from_value::<LocalTime>(stored).unwrap(), time);
    }
}
