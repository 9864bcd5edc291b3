//! What TikTok's reasons for a failure mean for the owner of a post: who acts, what to do, and whether
//! another try can help. A pure table.

use tiktok::{FailReason, error::Retry, error::Who};

use super::post_change::Failure;

/// What a reason of TikTok's means for the owner of the post.
pub fn failure(reason: &FailReason) -> Failure {
    let class = match reason.who() {
        Who::Creator => "creator",
        Who::TikTok => "tiktok",
        Who::Operator => "operator",
        Who::Time => "time",
        Who::Nobody => "nobody",
    };
    let message = match reason {
        FailReason::FileFormat => {
            "TikTok cannot read the file. Export a video as MP4 with H.264, a photo as JPEG, and upload it again."
        }
        FailReason::Duration => {
            "TikTok does not take a video of this length. Change its length and upload it again."
        }
        FailReason::FrameRate => {
            "TikTok takes 23 to 60 frames a second. Export the video anew and upload it again."
        }
        FailReason::PictureSize => {
            "TikTok refuses the size of the pictures: a video has 360 to 4096 pixels on each side, a photo at most 1080 on the shorter one and 20 MB. Export it anew and upload it again."
        }
        FailReason::Internal => {
            "TikTok failed to process the video and says that trying again can help."
        }
        FailReason::VideoPull | FailReason::PhotoPull => {
            "TikTok could not fetch the media within an hour. Each attempt shows what it fetched; see whether this server can be reached from outside."
        }
        FailReason::Cancelled => "The post was cancelled at TikTok.",
        FailReason::AuthRemoved => {
            "The creator removed the app's access while the video was on its way. Connect the account again, then retry the post."
        }
        FailReason::TooManyPosts => {
            "The creator has posted too much within a day for TikTok. Retry the post tomorrow."
        }
        FailReason::UserBanned => {
            "TikTok does not let this creator post. The creator must settle that with TikTok."
        }
        FailReason::RiskyText => {
            "TikTok takes the caption for spam. Make a new post with another caption."
        }
        FailReason::Risky => "TikTok takes the post for risky and does not post it.",
        FailReason::Unknown(_) => {
            "TikTok failed the post for a reason that its documents do not name."
        }
    };
    Failure {
        class,
        code: reason.as_str().to_owned(),
        message: message.to_owned(),
        retryable: match (reason, reason.retry()) {
            // What must change is the grant, not the post.
            (FailReason::AuthRemoved, _) => true,
            (_, Retry::Now | Retry::AfterWindow | Retry::OnRequest) => true,
            (_, Retry::AfterChange | Retry::Never) => false,
        },
    }
}
