//! Is this video that post? A comparison of what TikTok lists with what was sent.
//!
//! Only evidence decides: the caption, the length and the time must all fit, and neither another
//! video nor another post may fit as well. Everything less is a suggestion for a person. Pure; who
//! asks TikTok is the worker.

use std::time::Duration;

use clipqueue_entities::Timestamp;
use tiktok::video::Video;

/// Clocks differ, and TikTok tells whole seconds.
const CLOCKS: Duration = Duration::from_secs(120);
/// TikTok tells whole seconds of length, rounded in a way that is not documented.
const LENGTH_TOLERANCE_MS: u64 = 1_500;
/// TikTok cuts what it shows of a caption; its documents say at 150 characters.
const SHOWN_AT_LEAST: usize = 100;

/// What a post's video must look like.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The caption that was sent, or handed to the creator.
    pub caption: &'a str,
    /// Whether the creator may have written another one.
    pub caption_is_free: bool,
    /// The length of the file.
    pub duration_ms: Option<u64>,
    /// When TikTok can have had it whole at the earliest.
    pub from: Timestamp,
    /// The latest time that is believed.
    pub until: Timestamp,
}

/// How much a video looks like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Everything that can be compared fits, and enough can be.
    Whole,
    /// Nothing speaks against it.
    Partial,
    /// It is another one.
    None,
}

/// Compares a video with what is wanted.
pub fn likeness(wanted: &Wanted<'_>, video: &Video) -> Likeness {
    let Some(posted) = posted_at(video) else {
        return Likeness::None;
    };
    // A tell-time in seconds may lie up to one before the instant.
    if posted + CLOCKS < wanted.from || posted > wanted.until + CLOCKS {
        return Likeness::None;
    }
    let length = match (wanted.duration_ms, video.duration) {
        (Some(sent), Some(shown)) => {
            let shown = u64::try_from(shown)
                .unwrap_or_default()
                .saturating_mul(1000);
            if sent.abs_diff(shown) > LENGTH_TOLERANCE_MS {
                return Likeness::None;
            }
            true
        }
        _ => false,
    };
    let shown = video.description.as_deref().or(video.title.as_deref());
    let caption = shown.is_some_and(|shown| is_shown(wanted.caption, shown));
    match (caption, length) {
        (true, true) if !wanted.caption.trim().is_empty() => Likeness::Whole,
        (true, _) => Likeness::Partial,
        (false, _) if wanted.caption_is_free => Likeness::Partial,
        (false, _) => Likeness::None,
    }
}

/// When a video was posted.
pub fn posted_at(video: &Video) -> Option<Timestamp> {
    let seconds = video.create_time?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
}

/// Whether `shown` is `caption`, whole or as TikTok cuts it. White space is not compared: it is not
/// documented how TikTok treats it.
fn is_shown(caption: &str, shown: &str) -> bool {
    let (caption, shown) = (words(caption), words(shown));
    caption == shown
        || (shown.chars().count() >= SHOWN_AT_LEAST
            && caption.starts_with(shown.trim_end_matches(['…', '.', ' '])))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_000_000;

    fn wanted(caption: &str) -> Wanted<'_> {
        Wanted {
            caption,
            caption_is_free: false,
            duration_ms: Some(15_200),
            from: Timestamp::from_millis(NOON * 1000),
            until: Timestamp::from_millis((NOON + 3600) * 1000),
        }
    }

    fn video(caption: &str, duration: i64, after: i64) -> Video {
        Video {
            id: "7412345678901234567".parse().unwrap(),
            create_time: Some(NOON + after),
            cover_image_url: None,
            share_url: None,
            description: Some(caption.to_owned()),
            title: None,
            duration: Some(duration),
            height: None,
            width: None,
            embed_html: None,
            embed_link: None,
            like_count: None,
            comment_count: None,
            share_count: None,
            view_count: None,
        }
    }

    #[test]
    fn caption_length_and_time_together_are_unmistakable() {
        let fits = video("A  clip\n#clip", 15, 60);
        assert_eq!(likeness(&wanted("A clip #clip"), &fits), Likeness::Whole);
        for other in [
            video("Another clip", 15, 60),
            video("A clip #clip", 18, 60),
            video("A clip #clip", 15, -300),
            video("A clip #clip", 15, 7200),
        ] {
            assert_eq!(likeness(&wanted("A clip #clip"), &other), Likeness::None);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_only_a_suggestion() {
        let mut unknown = video("A clip", 0, 60);
        unknown.duration = None;
        assert_eq!(likeness(&wanted("A clip"), &unknown), Likeness::Partial);
        // Many videos have no caption.
        assert_eq!(likeness(&wanted(""), &video("", 15, 60)), Likeness::Partial);
        let mut draft = wanted("prepared");
        draft.caption_is_free = true;
        let written = video("written by hand", 15, 60);
        assert_eq!(likeness(&draft, &written), Likeness::Partial);
        let mut timeless = video("A clip", 15, 60);
        timeless.create_time = None;
        assert_eq!(likeness(&wanted("A clip"), &timeless), Likeness::None);
    }

    #[test]
    fn a_caption_that_tiktok_cut_is_the_same() {
        let long = "words and more of them ".repeat(20);
        let cut: String = long.chars().take(150).collect();
        assert_eq!(
            likeness(&wanted(&long), &video(&cut, 15, 60)),
            Likeness::Whole
        );
        // A short beginning says nothing.
        let start: String = long.chars().take(20).collect();
        assert_eq!(
            likeness(&wanted(&long), &video(&start, 15, 60)),
            Likeness::None
        );
    }
}
