//! Durations as people write them.

use std::time::Duration;

/// The longest duration that a key takes: ten years. Added to an instant it stays an instant.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(3650 * 24 * 3600);

/// Parses `500ms`, `15s`, `10m`, `24h` or `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_nothing_else() {
        for (text, millis) in [
            ("500ms", 500),
            ("15s", 15_000),
            ("10m", 600_000),
            ("24h", 86_400_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)));
        }
        for text in [
            "",
            "15",
            "s",
            "1.5s",
            "-1s",
            "15 s",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
