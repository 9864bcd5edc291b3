//! Global ids: base64url of `Type:uuid`. Clients must take them as opaque.
//!
//! A text that is no id of ours, or the id of another type, names nothing. It is read as the nil
//! UUID, which no row ever has, so that it gets the same NOT_FOUND as an unknown id.

use async_graphql::ID;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::{
    AccountId, ApiKeyId, AuditId, BulkActId, DataExportId, DeletionRequestId, JobId, MediaId,
    MediaImportId, PostId, SavedTextId, UserId, VerifiedSourceId, WebhookDeliveryId,
    WebhookEndpointId,
};
use uuid::Uuid;

use crate::domain::public_id;

/// An id that clients see.
pub(crate) trait Global: Sized {
    /// The GraphQL type that it names.
    const TYPE: &'static str;

    /// From the inner UUID.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The inner UUID.
    fn uuid(&self) -> Uuid;

    /// As clients see it.
    fn to_global(&self) -> ID {
        ID(public_id::render(Self::TYPE, self.uuid()))
    }

    /// From a client's text; an id that does not exist, when it is not of this type.
    fn from_global(id: &ID) -> Self {
        let uuid = split(id).and_then(|(name, uuid)| (name == Self::TYPE).then_some(uuid));
        Self::from_uuid(uuid.unwrap_or_default())
    }
}

macro_rules! global {
    ($($id:ident = $name:expr),+ $(,)?) => {
        $(impl Global for $id {
            const TYPE: &'static str = $name;

            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(&self) -> Uuid {
                self.0
            }
        })+
    };
}

global! {
    AccountId = public_id::ACCOUNT,
    ApiKeyId = "ApiKey",
    AuditId = "AuditEntry",
    BulkActId = "BulkAct",
    DataExportId = "DataExport",
    DeletionRequestId = "DeletionRequest",
    JobId = "Job",
    MediaId = "Media",
    MediaImportId = "MediaImport",
    PostId = public_id::POST,
    SavedTextId = "SavedText",
    UserId = "Viewer",
    VerifiedSourceId = "VerifiedSource",
    WebhookDeliveryId = "WebhookDelivery",
    WebhookEndpointId = public_id::WEBHOOK_ENDPOINT,
}

/// The type and the UUID that a text claims to hold.
pub(crate) fn split(id: &ID) -> Option<(String, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(id.as_str()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, uuid) = text.split_once(':')?;
    Some((name.to_owned(), Uuid::try_parse(uuid).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_comes_back_as_its_own_type_only() {
        let post = PostId::new();
        assert_eq!(PostId::from_global(&post.to_global()), post);
        assert_eq!(
            MediaId::from_global(&post.to_global()),
            MediaId(Uuid::nil())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,100}") {
            PostId::from_global(&ID(text));
        }
    }
}
