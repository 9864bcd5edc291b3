//! Calls of scripts and commands over the one connection.

use std::time::Duration;

use clipqueue_entities::JobId;
use redis::{Cmd, FromRedisValue, Script, ScriptInvocation};
use uuid::Uuid;

use super::RedisTransport;
use crate::queue::transport::{Delivery, TransportError};

impl RedisTransport {
    /// A call of a script on the keys that most of them share.
    pub(super) fn on<'s>(
        &self,
        script: &'s Script,
        queue: &str,
        parts: &[&str],
    ) -> ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        for part in parts {
            call.key(self.key(queue, part));
        }
        call
    }

    /// Runs a script.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        doing: &'static str,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, TransportError> {
        self.link
            .call(doing, async |connection| {
                call.invoke_async(connection).await
            })
            .await
    }

    /// Runs a command.
    pub(super) async fn query<T: FromRedisValue>(
        &self,
        doing: &'static str,
        command: &Cmd,
    ) -> Result<T, TransportError> {
        self.link
            .call(doing, async |connection| {
                command.query_async(connection).await
            })
            .await
    }
}

/// Names a pointer in a call.
pub(super) fn name(call: &mut ScriptInvocation<'_>, pointer: &Delivery) {
    call.arg(pointer.job.0.as_bytes().as_slice())
        .arg(pointer.nonce)
        .arg(&pointer.lane);
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn delivery(item: &[Vec<u8>]) -> anyhow::Result<Delivery> {
    Ok(Delivery {
        job: JobId(Uuid::from_slice(&item[0])?),
        nonce: std::str::from_utf8(&item[1])?.parse()?,
        lane: String::from_utf8(item[2].clone())?,
    })
}
