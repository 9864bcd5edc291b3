//! `RefreshDueTokens`: asks for a refresh of every token that ends soon, page by page.

use super::Step;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{token_life::REFRESH_AHEAD, tokens::expiring},
    job::{Job, TOKENS},
};

/// Accounts in one transaction.
const PAGE: u64 = 200;

pub(super) async fn run(app: &App) -> Step {
    let before = app.clock.now() + REFRESH_AHEAD;
    let mut cursor = None;
    loop {
        let page = expiring(app.db.read(), before, cursor, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        cursor = Some(*last);
        let tx = app.db.begin().await?;
        for account_id in page {
            app.enqueue_in_tx(&tx, Job::RefreshToken { account_id }, None)
                .await?;
        }
        crash::commit(tx, Commit::RefreshesAsked).await?;
        app.nudge(TOKENS);
    }
}
