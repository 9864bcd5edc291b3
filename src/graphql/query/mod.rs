//! What can be asked.

mod node;
mod ops;
mod tenant;

use async_graphql::MergedObject;

/// What can be asked. Ids are opaque; another user's objects answer as if they did not exist.
#[derive(Debug, Default, MergedObject)]
pub struct Query(node::Nodes, tenant::Tenant, ops::OperatorQueries);
