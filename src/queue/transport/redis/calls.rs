//! Calls of scripts and commands over the one connection.

use redis::{Cmd, FromRedisValue, Script, ScriptInvocation};

use super::RedisTransport;
use crate::queue::transport::TransportError;

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
