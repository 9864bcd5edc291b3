//! Queues, as the sampler sees them.

use std::sync::Arc;

use futures::{StreamExt as _, stream, stream::BoxStream};

use crate::graphql::{sampler::Sampler, types::queue::Queue};

/// The present sample, then each that differs.
pub(super) fn samples(sampler: &Arc<Sampler>) -> BoxStream<'static, Vec<Queue>> {
    stream::unfold(
        (sampler.watch(), false),
        |(mut samples, given)| async move {
            if given {
                samples.changed().await.ok()?;
            }
            // Right after the start there is none yet.
            let sample = samples.wait_for(Option::is_some).await.ok()?.clone()?;
            let queues = sample.iter().cloned().map(Queue).collect();
            Some((queues, (samples, true)))
        },
    )
    .boxed()
}
