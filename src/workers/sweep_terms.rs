//! `SweepTerms`: finds requests for deletion, subscriptions and letters whose time has come.

use super::Step;
use crate::{
    app::App,
    domain::{billing, deletions, mails},
};

pub(super) async fn run(app: &App) -> Step {
    // Each has its turn, whatever becomes of the others.
    let requests = deletions::clock::sweep(app).await;
    let ends = billing::clock::sweep(app).await;
    mails::sweep(app).await?;
    requests?;
    ends?;
    Ok(())
}
