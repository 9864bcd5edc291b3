//! Asking for deletion without being able to sign in: the one thing that anybody may do; and an operator's
//! recorded look at what was asked.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::{AccountId, DeletionRequestId};

use crate::{
    app::App,
    domain::{
        actor::Scope,
        deletions::{
            self, NewRequest, Ticket,
            judge::{self, Found},
        },
    },
    graphql::{
        guard::{Needs, actor, app, source},
        ids::Global as _,
        scalars::{DateTime, Url},
        types::deletion::DeletionRequest,
        user_error::{UserError, settle},
    },
};

/// What somebody knows of the account whose data is to be deleted.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RequestDeletionInput {
    /// The TikTok username, with or without `@`.
    username: String,
    /// A link to the profile.
    profile_url: Option<String>,
    /// How the service was used, in a few words.
    description: Option<String>,
    /// Ids of jobs or posts that are known.
    job_ids: Option<Vec<String>>,
    /// An e-mail address for answers. Without one, the status page alone tells how the request stands.
    email: Option<String>,
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// ticket; another request under the same key is another request.
    idempotency_key: String,
}

/// A request for deletion. It is the same whether the creator is known here or not.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DeletionTicket {
    /// The code of the request: whoever has it can see how the request stands.
    code: String,
    /// What proves the request when it stands in the text of the TikTok profile.
    proof_code: String,
    /// The page that says how to prove the request, and how it stands; with `Accept: application/json` as
    /// JSON.
    status_url: Url,
    /// By when it is over: what nobody proved lapses then.
    due_at: DateTime,
}

impl DeletionTicket {
    fn new(app: &App, ticket: Ticket) -> Self {
        Self {
            status_url: Url(app.deletion_request_url(&ticket.code).into()),
            proof_code: ticket.proof,
            due_at: ticket.due_at.into(),
            code: ticket.code,
        }
    }
}

/// What became of the request.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RequestDeletionPayload {
    /// The request. Keep its code.
    ticket: Option<DeletionTicket>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// What an operator found when looking at a request.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ApproveDeletionInput {
    /// The request: OPEN.
    id: ID,
    /// The name of the user whose data it is.
    user_name: String,
    /// One account of theirs alone; the user with everything when left out.
    account_id: Option<ID>,
    /// What was looked at, without names of people; 1 to 500 bytes. It is recorded with the name of the
    /// key's user.
    reason: String,
}

/// What an operator found when looking at a request.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RefuseDeletionInput {
    /// The request: OPEN.
    id: ID,
    /// What was looked at, without names of people; 1 to 500 bytes. It is recorded with the name of the
    /// key's user.
    reason: String,
}

/// What became of a request that an operator looked at.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DeletionRequestPayload {
    /// The request as it is now.
    request: Option<DeletionRequest>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct DeletionMutations;

#[Object]
impl DeletionMutations {
    /// Asks for the deletion of everything that is held about a TikTok creator, for people who cannot
    /// sign in. Needs no API key. Nothing is deleted before the request is proved to come from the
    /// account's owner: by the code in the profile's text, by signing in with TikTok, or by an
    /// operator's look. Few requests are taken from one address and for one name.
    async fn request_deletion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is known of the account.")] input: RequestDeletionInput,
    ) -> Result<RequestDeletionPayload> {
        let app = app(ctx);
        let new = NewRequest {
            username: input.username,
            profile_url: input.profile_url,
            description: input.description,
            job_ids: input.job_ids.unwrap_or_default(),
            email: input.email,
        };
        let asked = deletions::ask(app, source(ctx), new, &input.idempotency_key).await;
        let (ticket, user_errors) = settle("username", asked)?;
        Ok(RequestDeletionPayload {
            ticket: ticket.map(|ticket| DeletionTicket::new(app, ticket)),
            user_errors,
        })
    }

    /// Says that an operator has looked, and that a request for deletion is the owner's: everything is deleted
    /// from now on, which cannot be undone. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn approve_deletion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: ApproveDeletionInput,
    ) -> Result<DeletionRequestPayload> {
        let (app, by) = (app(ctx), actor(ctx)?);
        let found = Found {
            user_name: input.user_name,
            account: input.account_id.as_ref().map(AccountId::from_global),
        };
        let id = DeletionRequestId::from_global(&input.id);
        let approved = judge::approve(app, Some(by), id, &found, &input.reason).await;
        let (approved, user_errors) = settle("id", approved)?;
        Ok(DeletionRequestPayload {
            request: approved.map(|(seen, _)| DeletionRequest(seen)),
            user_errors,
        })
    }

    /// Says that an operator has looked, and that a request for deletion is not the owner's: nothing is
    /// deleted but the request. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn refuse_deletion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: RefuseDeletionInput,
    ) -> Result<DeletionRequestPayload> {
        let id = DeletionRequestId::from_global(&input.id);
        let refused = judge::refuse(app(ctx), Some(actor(ctx)?), id, &input.reason).await;
        let (refused, user_errors) = settle("id", refused)?;
        Ok(DeletionRequestPayload {
            request: refused.map(DeletionRequest),
            user_errors,
        })
    }
}
