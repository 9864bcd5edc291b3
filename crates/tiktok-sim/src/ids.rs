//! Opaque values in the shapes TikTok gives them: codes, tokens, publish ids, post ids, log ids.
//!
//! Randomness comes from the operating system, so two simulators never share a value.

use sha2::{Digest, Sha256};

/// Start of the post id range: 19 digits, far above 2^53.
const POST_ID_BASE: u64 = 7_500_000_000_000_000_000;

/// Lower-case hex of `bytes` random bytes.
pub(crate) fn opaque(bytes: usize) -> String {
    let mut raw = vec![0_u8; bytes];
    getrandom::fill(&mut raw).expect("the operating system provides randomness");
    hex::encode(raw)
}

/// An authorization code; the tail with `*` and `!` must survive URL coding.
pub(crate) fn code() -> String {
    format!("{}*v!5236.s1", opaque(40))
}

/// A token with its prefix (`act`, `rft`, `clt`).
pub(crate) fn token(prefix: &str) -> String {
    format!("{prefix}.{}!5236.s1", opaque(32))
}

/// A post id: 19 digits and odd, so that a parser that reads it as a double always changes it.
pub(crate) fn post_id(sequence: u64) -> u64 {
    let mut raw = [0_u8; 4];
    getrandom::fill(&mut raw).expect("the operating system provides randomness");
    let noise = u64::from(u32::from_le_bytes(raw) >> 8);
    POST_ID_BASE + (sequence << 26) + (noise << 1) + 1
}

/// A publish id with the prefix of its flow and 19 digits.
pub(crate) fn publish_id(prefix: &str, sequence: u64) -> String {
    format!("{prefix}.{}", post_id(sequence))
}

/// A log id: 14 digits of UTC time and 20 hex digits.
pub(crate) fn log_id(now_ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    format!(
        "{}{}",
        time.format("%Y%m%d%H%M%S"),
        opaque(10).to_uppercase()
    )
}

/// The first 12 hex digits of a value's SHA-256: names a secret without telling it.
pub(crate) fn short_hash(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.as_bytes())[..6])
}

/// The id of a user within one app: stable, with the dashes and underscores real ones contain.
pub(crate) fn open_id(client_key: &str, username: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("open:{client_key}:{username}")));
    format!(
        "-000{}-{}_{}",
        &digest[..12],
        &digest[12..20],
        &digest[20..32]
    )
}

/// The id of a user across one developer's apps.
pub(crate) fn union_id(username: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("union:{username}")));
    format!("{}-{}", &digest[..8], &digest[8..24])
}
