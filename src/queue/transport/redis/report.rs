//! Whether a Redis server may be trusted with pointers.

/// What start-up wants to know about a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisReport {
    /// The server's version.
    pub version: String,
    /// What the server does when memory is full.
    pub maxmemory_policy: String,
    /// Its limit in bytes; zero means none.
    pub maxmemory: u64,
    /// Whether the append-only file is on.
    pub aof: bool,
    /// The server's clock minus ours, in milliseconds.
    pub skew_millis: i64,
}

/// The oldest Redis that has every command the scripts use.
const OLDEST_REDIS: (u32, u32) = (6, 2);

impl RedisReport {
    /// From the answer to `INFO`.
    pub(super) fn read(info: &str, skew_millis: i64) -> Self {
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Self {
            version: field("redis_version"),
            maxmemory_policy: field("maxmemory_policy"),
            maxmemory: field("maxmemory").parse().unwrap_or_default(),
            aof: field("aof_enabled") == "1",
            skew_millis,
        }
    }

    /// Why this server must not be used, when it must not.
    pub fn refusal(&self) -> Option<String> {
        if self.maxmemory_policy != "noeviction" {
            return Some(format!(
                "Redis evicts keys (maxmemory-policy is {}): it would forget pointers and limits. \
                 Set `maxmemory-policy noeviction` on the server, or use another server.",
                self.maxmemory_policy
            ));
        }
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>());
        if let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next())
            && (major, minor) < OLDEST_REDIS
        {
            return Some(format!(
                "Redis {} is too old. Use Redis {}.{} or newer, or Valkey.",
                self.version, OLDEST_REDIS.0, OLDEST_REDIS.1
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evicting_or_old_redis_is_refused_with_a_reason() {
        let good = RedisReport {
            version: "7.0.15".into(),
            maxmemory_policy: "noeviction".into(),
            maxmemory: 0,
            aof: false,
            skew_millis: 0,
        };
        assert_eq!(good.refusal(), None);
        let evicts = RedisReport {
            maxmemory_policy: "allkeys-lru".into(),
            ..good.clone()
        };
        assert!(evicts.refusal().unwrap().contains("allkeys-lru"));
        let old = RedisReport {
            version: "5.0.9".into(),
            ..good
        };
        assert!(old.refusal().unwrap().contains("too old"));
    }
}
