//! What can be done. Each mutation takes one `input` and gives a payload with `userErrors`: what its
//! caller can put right is there, and `errors` holds what is about the key or about us.

mod billing;
mod bulk;
mod connect;
mod deletion;
mod erasure;
mod export;
mod keys;
mod library;
mod media;
mod ops;
mod posts;
mod posts_input;
mod sources;
mod webhooks;
mod word;

use async_graphql::MergedObject;

/// What can be done. Look at `userErrors` of the payload first: when it is not empty, nothing was
/// done.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    connect::Connect,
    erasure::Leaving,
    media::MediaMutations,
    posts::PostMutations,
    word::WordMutations,
    keys::Keys,
    ops::OperatorMutations,
    bulk::BulkMutations,
    webhooks::WebhookMutations,
    sources::SourceMutations,
    export::ExportMutations,
    library::LibraryMutations,
    billing::BillingMutations,
    deletion::DeletionMutations,
);
