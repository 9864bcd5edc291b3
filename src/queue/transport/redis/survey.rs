//! Showing every key and value, for searches. It reads in small pieces and holds nothing up.

use redis::Value;

use super::link::Link;
use crate::queue::transport::{See, TransportError};

/// Keys that one step of the walk looks at.
const STEP: usize = 500;
const DOING: &str = "show what it keeps";

/// Shows what lies under `prefix`.
pub(super) async fn survey(link: &Link, prefix: &str, see: &See<'_>) -> Result<(), TransportError> {
    let mut cursor = 0_u64;
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(format!("{prefix}:*"));
        command.arg("COUNT").arg(STEP);
        let (next, keys): (u64, Vec<String>) = link
            .call(DOING, async |connection| {
                command.query_async(connection).await
            })
            .await?;
        for key in keys {
            see(&key, key.as_bytes());
            one(link, &key, see).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// Shows what lies under one key.
async fn one(link: &Link, key: &str, see: &See<'_>) -> Result<(), TransportError> {
    let kind: String = link
        .call(DOING, async |connection| {
            redis::cmd("TYPE").arg(key).query_async(connection).await
        })
        .await?;
    let walk = match kind.as_str() {
        "hash" => "HSCAN",
        "set" => "SSCAN",
        "zset" => "ZSCAN",
        "string" => {
            let value: Value = link
                .call(DOING, async |connection| {
                    redis::cmd("GET").arg(key).query_async(connection).await
                })
                .await?;
            show(key, &value, see);
            return Ok(());
        }
        // Nothing of ours is kept otherwise; a key that is gone has the type "none".
        _ => return Ok(()),
    };
    let mut cursor = 0_u64;
    loop {
        let mut command = redis::cmd(walk);
        command.arg(key).arg(cursor).arg("COUNT").arg(STEP);
        let (next, items): (u64, Vec<Value>) = link
            .call(DOING, async |connection| {
                command.query_async(connection).await
            })
            .await?;
        for item in &items {
            show(key, item, see);
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

fn show(key: &str, value: &Value, see: &See<'_>) {
    match value {
        Value::BulkString(bytes) => see(key, bytes),
        Value::SimpleString(text) => see(key, text.as_bytes()),
        _ => {}
    }
}
