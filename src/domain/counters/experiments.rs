//! The posts of an experiment, by variant and age of the post. It says how many posts stand behind each
//! number and how they are spread; it names no winner, since few posts prove little.

use std::collections::{BTreeMap, HashMap};

use clipqueue_entities::{AccountId, PostId, UserId, post, post_video, tracked_video};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    checkpoints, plans,
    series::{Gap, Point, by_age, readings_by_age},
};
use crate::{
    app::App,
    domain::error::{Error, Result},
};

/// Posts of an experiment that are compared: the newest.
pub const MAX_POSTS: u64 = 1000;
/// Values of one statement.
const CHUNK: usize = 500;

/// How the values of one counter are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Posts whose value is known.
    pub sample_size: u32,
    /// The lowest.
    pub min: i64,
    /// The middle one; of two, the lower.
    pub median: i64,
    /// The highest.
    pub max: i64,
}

/// A variant at one age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtAge {
    /// The age in hours.
    pub hours: i32,
    /// Posts that have a reading at this age.
    pub sample_size: u32,
    /// Posts that have none, and why.
    pub gaps: HashMap<Gap, u32>,
    /// Views.
    pub views: Option<Spread>,
    /// Likes.
    pub likes: Option<Spread>,
    /// Comments.
    pub comments: Option<Spread>,
    /// Shares.
    pub shares: Option<Spread>,
}

/// One variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name; none for posts without one.
    pub name: Option<String>,
    /// Its posts, newest first.
    pub posts: Vec<post::Model>,
    /// How many of them have a video that is followed.
    pub sample_size: u32,
    /// By age.
    pub by_age: Vec<AtAge>,
}

/// An experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Its label.
    pub label: String,
    /// Its variants by name.
    pub variants: Vec<Variant>,
}

/// The posts of a variant, and the ages of those whose video is followed.
type Members = (Vec<post::Model>, Vec<Vec<(i32, Point)>>);

/// The experiment of that label. Whoever asks is taken for the creator looking.
pub async fn of(app: &App, user: UserId, label: &str) -> Result<Experiment> {
    let posts = post::Entity::find()
        .filter(post::Column::UserId.eq(user))
        .filter(post::Column::ExperimentLabel.eq(label))
        .order_by_desc(post::Column::Id)
        .limit(MAX_POSTS)
        .all(app.db.read())
        .await?;
    if posts.is_empty() {
        return Err(Error::NotFound);
    }
    let mut accounts: Vec<AccountId> = posts.iter().map(|post| post.account_id).collect();
    accounts.sort();
    accounts.dedup();
    plans::looked(app, &accounts).await?;
    let videos = first_videos(app, &posts).await?;
    let ids: Vec<_> = videos.values().map(|video| video.id).collect();
    let mut readings = readings_by_age(app, &ids).await?;
    let now = app.clock.now();
    let mut variants: BTreeMap<Option<String>, Members> = BTreeMap::new();
    for post in posts {
        let (members, series) = variants.entry(post.experiment_variant.clone()).or_default();
        if let Some(video) = videos.get(&post.id) {
            let readings = readings.remove(&video.id).unwrap_or_default();
            series.push(by_age(video, &readings, now));
        }
        members.push(post);
    }
    let variants = variants
        .into_iter()
        .map(|(name, (posts, series))| Variant {
            name,
            posts,
            sample_size: count(series.len()),
            by_age: at_ages(&series),
        })
        .collect();
    Ok(Experiment {
        label: label.to_owned(),
        variants,
    })
}

/// The followed video of each post. A creator may post a draft more than once; the first counts.
async fn first_videos(
    app: &App,
    posts: &[post::Model],
) -> Result<HashMap<PostId, tracked_video::Model>> {
    let accounts: HashMap<PostId, AccountId> = posts
        .iter()
        .map(|post| (post.id, post.account_id))
        .collect();
    let ids: Vec<PostId> = posts.iter().map(|post| post.id).collect();
    let mut first: HashMap<PostId, tracked_video::Model> = HashMap::new();
    for some in ids.chunks(CHUNK) {
        let joined: HashMap<String, PostId> = post_video::Entity::find()
            .select_only()
            .column(post_video::Column::VideoId)
            .column(post_video::Column::PostId)
            .filter(post_video::Column::PostId.is_in(some.iter().copied()))
            .filter(post_video::Column::JoinedKey.is_not_null())
            .into_tuple::<(String, PostId)>()
            .all(app.db.read())
            .await?
            .into_iter()
            .collect();
        let videos = tracked_video::Entity::find()
            .filter(tracked_video::Column::VideoId.is_in(joined.keys().cloned()))
            .order_by_asc(tracked_video::Column::PostedAt)
            .all(app.db.read())
            .await?;
        for video in videos {
            let Some(post) = joined.get(&video.video_id) else {
                continue;
            };
            if accounts.get(post) == Some(&video.account_id) {
                first.entry(*post).or_insert(video);
            }
        }
    }
    Ok(first)
}

/// Each age over all posts. Pure.
fn at_ages(series: &[Vec<(i32, Point)>]) -> Vec<AtAge> {
    checkpoints::ALL
        .iter()
        .enumerate()
        .map(|(index, checkpoint)| {
            let mut at = AtAge {
                hours: checkpoint.hours,
                ..AtAge::default()
            };
            let mut read = Vec::new();
            for points in series {
                match points.get(index).map(|(_, point)| point) {
                    Some(Point::Read(_, counters)) => read.push(*counters),
                    Some(Point::Gap(gap)) => *at.gaps.entry(*gap).or_default() += 1,
                    None => {}
                }
            }
            at.sample_size = count(read.len());
            at.views = spread(read.iter().filter_map(|counters| counters.views));
            at.likes = spread(read.iter().filter_map(|counters| counters.likes));
            at.comments = spread(read.iter().filter_map(|counters| counters.comments));
            at.shares = spread(read.iter().filter_map(|counters| counters.shares));
            at
        })
        .collect()
}

fn spread(values: impl Iterator<Item = i64>) -> Option<Spread> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    Some(Spread {
        sample_size: count(values.len()),
        min: *values.first()?,
        median: *values.get((values.len() - 1) / 2)?,
        max: *values.last()?,
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use clipqueue_entities::Timestamp;

    use super::{super::Counters, *};

    #[test]
    fn a_spread_counts_only_what_is_known() {
        assert_eq!(spread([].into_iter()), None);
        let spread = spread([9, 1, 5, 3].into_iter()).unwrap();
        assert_eq!(
            (spread.sample_size, spread.min, spread.median, spread.max),
            (4, 1, 3, 9)
        );
    }

    #[test]
    fn gaps_are_counted_and_are_no_zeros() {
        let read = |views| {
            let counters = Counters {
                views: Some(views),
                ..Counters::default()
            };
            Point::Read(Timestamp::default(), counters)
        };
        let rest = |first: Point| {
            checkpoints::ALL.map(|checkpoint| match checkpoint.hours {
                1 => (1, first),
                hours => (hours, Point::Gap(Gap::NotYet)),
            })
        };
        let series = [
            rest(read(10)).to_vec(),
            rest(read(30)).to_vec(),
            rest(Point::Gap(Gap::Vanished)).to_vec(),
        ];
        let ages = at_ages(&series);
        assert_eq!(ages[0].sample_size, 2);
        assert_eq!(ages[0].gaps, HashMap::from([(Gap::Vanished, 1)]));
        assert_eq!(ages[0].views.unwrap().min, 10);
        assert_eq!(ages[0].likes, None);
        assert_eq!((ages[1].sample_size, ages[1].views), (0, None));
        assert_eq!(ages[1].gaps, HashMap::from([(Gap::NotYet, 3)]));
    }
}
