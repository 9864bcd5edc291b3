//! Experiments: posts with the same label, side by side. No number here names a winner.

use async_graphql::{Object, SimpleObject};

use super::post::Post;
use crate::{
    domain::counters::{
        experiments::{self, AtAge},
        series::Gap,
    },
    graphql::{cost, scalars::BigInt},
};

/// The posts of a variant that a cost assumes.
const SHORT_LIST: usize = 10;

/// How the values of one counter are spread over posts.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct MetricSpread {
    /// Posts whose value is known.
    sample_size: u32,
    /// The lowest.
    min: BigInt,
    /// The middle one; of two, the lower.
    median: BigInt,
    /// The highest.
    max: BigInt,
}

impl From<experiments::Spread> for MetricSpread {
    fn from(spread: experiments::Spread) -> Self {
        Self {
            sample_size: spread.sample_size,
            min: BigInt(spread.min),
            median: BigInt(spread.median),
            max: BigInt(spread.max),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct VariantAtAge(AtAge);

/// The posts of a variant at one age. Only posts that were read at that age count.
#[Object]
impl VariantAtAge {
    /// The age in hours: 1, 3, 6, 24, 48, 168 or 720.
    async fn age_hours(&self) -> i32 {
        self.0.hours
    }

    /// Posts with a reading at this age. Few posts prove little.
    async fn sample_size(&self) -> u32 {
        self.0.sample_size
    }

    /// Posts that TikTok did not show at this age.
    async fn vanished(&self) -> u32 {
        self.gap(Gap::Vanished)
    }

    /// Posts that nobody read at this age.
    async fn not_read(&self) -> u32 {
        self.gap(Gap::NotRead)
    }

    /// Posts that are not this old yet.
    async fn not_yet(&self) -> u32 {
        self.gap(Gap::NotYet)
    }

    /// Views.
    async fn views(&self) -> Option<MetricSpread> {
        self.0.views.map(Into::into)
    }

    /// Likes.
    async fn likes(&self) -> Option<MetricSpread> {
        self.0.likes.map(Into::into)
    }

    /// Comments.
    async fn comments(&self) -> Option<MetricSpread> {
        self.0.comments.map(Into::into)
    }

    /// Shares.
    async fn shares(&self) -> Option<MetricSpread> {
        self.0.shares.map(Into::into)
    }
}

impl VariantAtAge {
    fn gap(&self, gap: Gap) -> u32 {
        self.0.gaps.get(&gap).copied().unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ExperimentVariant(experiments::Variant);

/// One variant of an experiment.
#[Object]
impl ExperimentVariant {
    /// Its name, as posts give it in `experimentVariant`; null for posts without one.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Its posts, newest first.
    #[graphql(complexity = "cost::list(SHORT_LIST, child_complexity)")]
    async fn posts(&self) -> Vec<Post> {
        self.0.posts.iter().cloned().map(Post).collect()
    }

    /// Posts whose video is known and followed.
    async fn sample_size(&self) -> u32 {
        self.0.sample_size
    }

    /// One entry for each age at which posts are compared.
    #[graphql(complexity = "cost::list(7, child_complexity)")]
    async fn by_age(&self) -> Vec<VariantAtAge> {
        self.0.by_age.iter().cloned().map(VariantAtAge).collect()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Experiment(pub(crate) experiments::Experiment);

/// Posts that share an `experimentLabel`, variant by variant, at the same ages. It gives numbers and how
/// many posts stand behind them; it does not say which variant is better.
#[Object]
impl Experiment {
    /// The label.
    async fn label(&self) -> &str {
        &self.0.label
    }

    /// The variants by name; of the newest 1,000 posts.
    #[graphql(complexity = "cost::list(3, child_complexity)")]
    async fn variants(&self) -> Vec<ExperimentVariant> {
        self.0
            .variants
            .iter()
            .cloned()
            .map(ExperimentVariant)
            .collect()
    }
}
