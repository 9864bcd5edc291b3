//! An act on many jobs as it comes on. Its job's progress says when to look; what is given is always
//! read from the table.

use async_graphql::Result;
use clipqueue_entities::{BulkActId, bulk_act::BulkState};
use futures::{StreamExt as _, future, stream, stream::BoxStream};

use super::jobs;
use crate::{
    app::App,
    domain::bulk,
    graphql::{types::bulk::BulkAct, user_error::raise},
};

/// The act at once and after each batch, until it has ended.
pub(super) async fn watch(app: App, id: BulkActId) -> Result<BoxStream<'static, Result<BulkAct>>> {
    let act = bulk::get(&app, id).await;
    let act = act.map_err(|error| raise("BulkAct", error))?;
    if act.state != BulkState::Running {
        return Ok(stream::once(future::ready(Ok(BulkAct(act)))).boxed());
    }
    // Listening comes before the first look that is given, so that nothing falls in between.
    let job = jobs::watch(app.clone(), Some(act.job_id), None).await?;
    let looks = job.then(move |_| {
        let app = app.clone();
        async move {
            let act = bulk::get(&app, id).await;
            act.map(BulkAct).map_err(|error| raise("BulkAct", error))
        }
    });
    let changes = looks
        .scan(None::<BulkAct>, |last, look| {
            let same = matches!((&last, &look), (Some(last), Ok(look)) if last == look);
            if let Ok(look) = &look {
                *last = Some(look.clone());
            }
            future::ready(Some((!same).then_some(look)))
        })
        .filter_map(future::ready);
    Ok(stream::unfold(Some(changes.boxed()), |changes| async {
        let mut changes = changes?;
        let look = changes.next().await?;
        let over = !matches!(&look, Ok(act) if act.0.state == BulkState::Running);
        Some((look, (!over).then_some(changes)))
    })
    .boxed())
}
