//! `cancel`: stops a pull that is still running.

use serde_json::Value;

use super::{Reply, status};
use crate::call::Call;
use crate::envelope::Refusal;
use crate::publish::Stage;
use crate::state::State;

/// Cancels a pull. Uploads, and pulls that are already processed, cannot be cancelled.
pub(crate) fn cancel(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer_with(call, &["video.upload", "video.publish"])?;
    state.within_limit(call, &bearer)?;
    let publish = status::named(state, call, &bearer)?;
    if publish.stage != Stage::AwaitingPull {
        return Err(Refusal::new(
            400,
            "publish_not_cancellable",
            "The publish cannot be cancelled any more.",
        ));
    }
    state.fail(&publish.id, "publish_cancelled", call.now);
    Ok(Value::Null)
}
