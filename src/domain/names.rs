//! Names of users that nobody chose: for those who come by somebody else's word, not by the command line.

use crate::secrets::random_bytes;

/// Letters of a stranger's name that go into a new user's.
const LETTERS: usize = 40;

/// A name that nobody has, made of what they are called elsewhere: an operator who names a user on the
/// command line must never mean a stranger who chose that name. `otherwise` is for those without a name.
pub(super) fn fresh(known: Option<&str>, otherwise: &str) -> String {
    let letters: String = known
        .unwrap_or_default()
        .chars()
        .map(|letter| match letter {
            letter if letter.is_alphanumeric() || letter == '.' || letter == '_' => letter,
            _ => '-',
        })
        .take(LETTERS)
        .collect();
    let base = match letters.trim_matches('-') {
        "" => otherwise,
        letters => letters,
    };
    // Half as many would meet each other among some ten thousands.
    let tail: [u8; 8] = random_bytes();
    format!("{base}-{}", hex::encode(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_is_never_one_that_somebody_could_choose() {
        let (one, two) = (fresh(Some("ada"), "x"), fresh(Some("ada"), "x"));
        assert!(one.starts_with("ada-") && one.len() == 20);
        assert_ne!(one, two);
        assert!(fresh(Some("<b>ada & co</b>"), "x").starts_with("b-ada---co--b-"));
        assert!(fresh(Some("  "), "creator").starts_with("creator-"));
        assert!(fresh(None, "operator").starts_with("operator-"));
        assert!(fresh(Some(&"x".repeat(500)), "x").chars().count() < 64);
    }
}
