//! Server-sent events of graphql-sse: `next` with a result, then `complete`.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use serde_json::Value;

/// Decodes the body of an event stream into the data of its `next` events.
pub(super) fn decode(
    body: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
) -> BoxStream<'static, anyhow::Result<Value>> {
    let state = (Box::pin(body), Vec::<u8>::new());
    futures::stream::unfold(state, |(mut body, mut buffer)| async move {
        loop {
            if let Some(end) = find(&buffer) {
                let block: Vec<u8> = buffer.drain(..end + 2).collect();
                match event(&block) {
                    Event::Next(value) => return Some((value, (body, buffer))),
                    Event::Complete => return None,
                    Event::Comment => continue,
                }
            }
            match body.next().await? {
                Ok(bytes) => buffer.extend_from_slice(&bytes),
                Err(error) => return Some((Err(error.into()), (body, buffer))),
            }
        }
    })
    .boxed()
}

fn find(buffer: &[u8]) -> Option<usize> {
    buffer.windows(2).position(|pair| pair == b"\n\n")
}

enum Event {
    Next(anyhow::Result<Value>),
    Complete,
    Comment,
}

fn event(block: &[u8]) -> Event {
    let text = String::from_utf8_lossy(block);
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    match field("event") {
        Some("next") => Event::Next(result(field("data").unwrap_or_default())),
        Some("complete") => Event::Complete,
        _ => Event::Comment,
    }
}

fn result(data: &str) -> anyhow::Result<Value> {
    let value: Value = serde_json::from_str(data)?;
    if let Some(errors) = value.get("errors") {
        anyhow::bail!("the subscription failed: {errors}");
    }
    Ok(value.get("data").cloned().unwrap_or_default())
}
