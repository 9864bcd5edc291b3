//! How TikTok counts text.

/// Length of `text` in UTF-16 code units, the strictest reading of TikTok's "UTF-16 runes" and so
/// the one that every limit of [`crate::limits`] is meant in.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Keeps a text that TikTok sent fit for a log line or a column: control characters become
/// spaces, and what is longer than `max` characters is cut.
pub(crate) fn clean(text: &str, max: usize) -> String {
    text.chars()
        .take(max)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_code_units_not_characters() {
        assert_eq!(utf16_len(""), 0);
        assert_eq!(utf16_len("abc é"), 5);
        assert_eq!(utf16_len("👍"), 2);
        assert_eq!(utf16_len("👩‍👩‍👧"), 8);
    }

    #[test]
    fn clean_cuts_by_character_and_removes_controls() {
        assert_eq!(clean("a\nb\u{1b}[31m", 20), "a b [31m");
        assert_eq!(clean("ééé", 2), "éé");
    }
}
