//! `CheckSource`: looks for the proof that a source is its user's, by DNS first.

use clipqueue_entities::VerifiedSourceId;
use url::Url;

use super::Step;
use crate::{
    app::App,
    domain::sources::{
        check::{self, Look},
        proof::{self, MAX_FILE, Proof},
    },
};

pub(super) async fn run(app: &App, id: VerifiedSourceId) -> Step {
    let Some(row) = check::wanted(app, id).await? else {
        return Ok(());
    };
    let look = look(app, &proof::of(&row)).await;
    let state = check::record(app, &row, look).await?;
    tracing::info!(source.id = %id, ?state, ?look, "a source was looked for");
    Ok(())
}

async fn look(app: &App, proof: &Proof) -> Look {
    if let Some(record) = &proof.record
        && let Ok(texts) = app.fetch.texts(record).await
        && proof.is_in_records(&texts)
    {
        return Look::Found("dns");
    }
    let Ok(url) = Url::parse(&proof.file) else {
        return Look::Missing("url_refused");
    };
    match app.fetch.get_small(&url, MAX_FILE).await {
        Ok(bytes) if proof.is_in_file(&bytes) => Look::Found("file"),
        Ok(_) => Look::Missing("other_text"),
        Err(error) => Look::Missing(error.code()),
    }
}
