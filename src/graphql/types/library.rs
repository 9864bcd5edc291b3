//! What users keep about their files and for their posts.

use async_graphql::{Enum, ID, Object, SimpleObject};
use clipqueue_entities::saved_text;

use crate::{
    domain::library::{experiments, folders, life},
    graphql::{
        ids::Global as _,
        scalars::{BigInt, DateTime},
    },
};

/// How long a file is kept.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MediaLife {
    /// When its bytes are deleted, as things are; null while a post needs them, and when your plan sets
    /// no end. A use by a post and another announcement of the same bytes put it off.
    purge_at: Option<DateTime>,
    /// Posts that need the bytes still: nothing is deleted before they have ended.
    needed_by: BigInt,
}

impl From<life::Life> for MediaLife {
    fn from(life: life::Life) -> Self {
        Self {
            purge_at: life.purge_at.map(DateTime),
            needed_by: life.needed_by.into(),
        }
    }
}

/// A folder, without those below it.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MediaFolder {
    /// Its path, such as `2027/may`; empty for the top.
    path: String,
    /// Files in it.
    files: BigInt,
    /// Their bytes.
    bytes: BigInt,
}

impl From<folders::Folder> for MediaFolder {
    fn from(folder: folders::Folder) -> Self {
        Self {
            path: folder.path,
            files: folder.files.into(),
            bytes: folder.bytes.into(),
        }
    }
}

/// What a saved text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "saved_text::TextKind")]
pub(crate) enum SavedTextKind {
    /// A caption.
    Caption,
    /// Hashtags, to be put behind a caption.
    Hashtags,
}

#[derive(Clone, Debug)]
pub(crate) struct SavedText(pub(crate) saved_text::Model);

/// A caption or a set of hashtags that is kept for posts.
#[Object]
impl SavedText {
    /// The id.
    async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// What it is for.
    async fn kind(&self) -> SavedTextKind {
        self.0.kind.into()
    }

    /// Its name; there is one of each kind and name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The text itself.
    async fn body(&self) -> &str {
        &self.0.body
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}

/// A caption that was put together.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ComposedCaption {
    /// The text, to be given to `createPost`.
    pub(crate) caption: String,
    /// Why TikTok would not take it for a video; null when it would.
    pub(crate) problem: Option<String>,
}

/// A variant of an experiment.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ExperimentLabelVariant {
    /// Its name; null for posts without one.
    variant: Option<String>,
    /// Posts that have it.
    posts: BigInt,
}

/// A label that joins posts of one experiment.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ExperimentLabel {
    /// The label, to be given to `experiment`.
    label: String,
    /// Its variants.
    variants: Vec<ExperimentLabelVariant>,
}

impl From<experiments::Label> for ExperimentLabel {
    fn from(found: experiments::Label) -> Self {
        let variants = found.variants.into_iter();
        Self {
            label: found.label,
            variants: variants
                .map(|(variant, posts)| ExperimentLabelVariant {
                    variant,
                    posts: posts.into(),
                })
                .collect(),
        }
    }
}
