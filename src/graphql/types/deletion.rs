//! Requests for deletion as operators see them.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use crate::{
    domain::deletions::judge::{self, Seen},
    graphql::{cost, guard::app, ids::Global as _, scalars::DateTime, user_error::raise},
};

/// Candidates that a request is expected to have at most; one is usual.
const CANDIDATES: usize = 5;

/// Where a request for deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::deletion_request::RequestState")]
pub(crate) enum DeletionRequestState {
    /// Nobody knows yet whether it is the owner's.
    Open,
    /// It is the owner's, and everything is being deleted.
    Proven,
    /// Everything is deleted.
    Done,
    /// Nobody proved it in time.
    Lapsed,
    /// An operator found that it is not the owner's.
    Refused,
}

/// How a request for deletion was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::deletion_request::ProofKind")]
pub(crate) enum DeletionProof {
    /// The creator signed in with TikTok.
    Tiktok,
    /// The code stood in the profile's text.
    Bio,
    /// An operator looked.
    Operator,
}

/// An account that is connected here by the name of a request.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DeletionCandidate {
    /// The account.
    account_id: ID,
    /// The name of its user.
    user_name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct DeletionRequest(pub(crate) Seen);

/// A request for deletion by somebody who could not sign in. What its sender wrote is null once it is over
/// or proved.
#[Object]
impl DeletionRequest {
    /// The id.
    async fn id(&self) -> ID {
        self.0.row.id.to_global()
    }

    /// Where it stands.
    async fn state(&self) -> DeletionRequestState {
        self.0.row.state.into()
    }

    /// How it was proved.
    async fn proof(&self) -> Option<DeletionProof> {
        self.0.row.proof.map(Into::into)
    }

    /// When it was made.
    async fn requested_at(&self) -> DateTime {
        self.0.row.requested_at.into()
    }

    /// By when it must be over.
    async fn due_at(&self) -> DateTime {
        self.0.row.due_at.into()
    }

    /// When it was over.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.row.ended_at.map(Into::into)
    }

    /// The TikTok username that it is about.
    async fn username(&self) -> Option<&str> {
        let details = self.0.details.as_ref();
        details.map(|details| details.username.as_str())
    }

    /// The link to the profile, as it was written. Take care: anybody may have written it.
    async fn profile_url(&self) -> Option<&str> {
        self.0.details.as_ref()?.profile_url.as_deref()
    }

    /// How the service was used, as it was written.
    async fn description(&self) -> Option<&str> {
        self.0.details.as_ref()?.description.as_deref()
    }

    /// Ids of jobs or posts, as they were written.
    async fn job_ids(&self) -> Vec<&str> {
        let ids = self.0.details.iter().flat_map(|details| &details.job_ids);
        ids.map(String::as_str).collect()
    }

    /// Whether its sender is told by letter. The address itself is not shown.
    async fn told_by_letter(&self) -> bool {
        self.0.has_email
    }

    /// Accounts that are connected here by that name.
    #[graphql(complexity = "cost::list(CANDIDATES, child_complexity)")]
    async fn candidates(&self, ctx: &Context<'_>) -> Result<Vec<DeletionCandidate>> {
        let found = judge::candidates(app(ctx), &self.0).await;
        let found = found.map_err(|error| raise("DeletionRequest", error))?;
        Ok(found
            .into_iter()
            .map(|one| DeletionCandidate {
                account_id: one.account.to_global(),
                user_name: one.user_name,
            })
            .collect())
    }
}
