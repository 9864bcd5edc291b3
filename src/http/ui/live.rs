//! The queues as they change, as server-sent events that htmx swaps into the overview.
//!
//! One sampler reads for everybody who watches. A stream ends with its session, with the word `ended`,
//! so that the browser does not come back.

use std::{convert::Infallible, time::Duration};

use askama::Template as _;
use axum::{
    Extension,
    http::{HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::{overview::Queues, session::Visit};
use crate::{domain::console_sessions, graphql::sampler::Sample};

/// Ages move on by themselves, and a session may end while nothing changes.
const LOOK: Duration = Duration::from_secs(10);

/// The stream of the overview.
pub(super) async fn stream(Extension(visit): Extension<Visit>) -> Response {
    let mut answer = Sse::new(events(visit))
        .keep_alive(KeepAlive::default())
        .into_response();
    // A proxy that collects answers would show nothing.
    answer.headers_mut().insert(
        header::HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    answer
}

/// Where a stream stands.
struct Watching {
    visit: Visit,
    samples: watch::Receiver<Sample>,
    sent: String,
    over: bool,
}

fn events(visit: Visit) -> impl Stream<Item = Result<Event, Infallible>> {
    let watching = Watching {
        samples: visit.console.sampler.watch(),
        visit,
        sent: String::new(),
        over: false,
    };
    stream::unfold(watching, async |mut watching| {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    })
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        loop {
            let console = &self.visit.console;
            if !self.sent.is_empty() {
                tokio::select! {
                    () = console.shutdown.cancelled() => return None,
                    changed = self.samples.changed() => changed.ok()?,
                    () = console.app.clock.sleep(LOOK) => {}
                }
            }
            let session = self.visit.session.id;
            if !console_sessions::lasts(&console.app, session).await.ok()? {
                self.over = true;
                return Some(Event::default().event("ended").data("signed out"));
            }
            // Right after the start there is none yet.
            let stats = tokio::select! {
                () = console.shutdown.cancelled() => return None,
                sample = self.samples.wait_for(Option::is_some) => sample.ok()?.clone()?,
            };
            let now = console.app.clock.now();
            let part = Queues::new(&console.base, self.visit.may_act(), &stats, now);
            let html = part.render().ok()?;
            if html != self.sent {
                self.sent.clone_from(&html);
                return Some(Event::default().event("queues").data(html));
            }
        }
    }
}
