//! `SweepOutbound`: finds what no job cares for of that which goes out.

use super::Step;
use crate::{
    app::App,
    domain::{imports, sources, webhooks},
};

pub(super) async fn run(app: &App) -> Step {
    webhooks::sweep::sweep(app).await?;
    sources::check::sweep(app).await?;
    imports::sweep::sweep(app).await?;
    Ok(())
}
