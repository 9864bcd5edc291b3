//! The roots put together, with what their resolvers need.

use async_graphql::{SDLExportOptions, Schema, SchemaBuilder};

use super::{loaders::Rows, sampler::Sampler};
pub use super::{mutation::Mutation, query::Query, subscription::Subscription};
use crate::app::App;

/// The schema over `app`. The caller is looked for in each operation's data, as an
/// [`Actor`](crate::domain::actor::Actor). Call it within a runtime.
pub fn build(app: App) -> SchemaBuilder<Query, Mutation, Subscription> {
    bare()
        .data(Rows::loader(&app))
        .data(Sampler::new(app.clone()))
        .data(app)
}

fn bare() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
}

/// The schema in its definition language, as `schema.graphql` holds it.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .use_space_ident();
    bare().finish().sdl_with_options(options)
}
