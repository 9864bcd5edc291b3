//! stub
#![allow(missing_docs)]
use crate::app::App;
use async_graphql::*;
pub struct Query;
#[Object]
impl Query {
    async fn ok(&self) -> bool {
        true
    }
}
pub fn build(app: App) -> SchemaBuilder<Query, EmptyMutation, EmptySubscription> {
    Schema::build(Query, EmptyMutation, EmptySubscription).data(app)
}
