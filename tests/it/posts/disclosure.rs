//! The table of commercial disclosure: which combinations may be asked for, and which text the creator
//! must have agreed to. And: what is allowed here, TikTok takes.

use clipqueue::domain::post_settings::{DirectSettings, PrivacyLevel};
use clipqueue_entities::post::PostState;
use tiktok_sim::AccountPatch;

use crate::support::{app::TestApp, flows::MINUTE};

const LEVELS: [PrivacyLevel; 4] = [
    PrivacyLevel::PublicToEveryone,
    PrivacyLevel::MutualFollowFriends,
    PrivacyLevel::FollowerOfCreator,
    PrivacyLevel::SelfOnly,
];

fn choices(disclosed: bool, own: bool, branded: bool, level: PrivacyLevel) -> DirectSettings {
    DirectSettings {
        privacy_level: level,
        discloses_commercial: disclosed,
        your_brand: own,
        branded_content: branded,
        ..TestApp::choices()
    }
}

/// The rule in words: the switch is on exactly when a kind is chosen, and branded content is for
/// everyone or for friends.
fn allowed(disclosed: bool, own: bool, branded: bool, level: PrivacyLevel) -> bool {
    let wide = matches!(
        level,
        PrivacyLevel::PublicToEveryone | PrivacyLevel::MutualFollowFriends
    );
    disclosed == (own || branded) && (!branded || wide)
}

#[test]
fn every_combination_is_judged_by_the_table() {
    let both = [false, true];
    for disclosed in both {
        for own in both {
            for branded in both {
                for level in LEVELS {
                    let settings = choices(disclosed, own, branded, level);
                    let refusals = settings.refusals(true);
                    assert_eq!(
                        refusals.is_empty(),
                        allowed(disclosed, own, branded, level),
                        "{settings:?}: {refusals:?}"
                    );
                    let text = settings.consent().as_str();
                    let expected = if branded {
                        "branded-content-and-music-usage"
                    } else {
                        "music-usage"
                    };
                    assert_eq!(text, expected);
                }
            }
        }
    }
}

crate::on_both_stacks!(tiktok_takes_every_combination_that_the_table_allows);

async fn tiktok_takes_every_combination_that_the_table_allows(mut t: TestApp) {
    let all = LEVELS.map(|level| level.as_str().to_owned());
    let (account, media) = t.ready().await;
    t.sim.account(
        "creator",
        AccountPatch {
            privacy_options: Some(all.to_vec()),
            post_cap: Some(100),
            ..AccountPatch::default()
        },
    );
    let mut taken = 0;
    for (disclosed, own, branded) in [
        (false, false, false),
        (true, true, false),
        (true, false, true),
        (true, true, true),
    ] {
        for level in LEVELS {
            if !allowed(disclosed, own, branded, level) {
                continue;
            }
            let caption = format!("{own} {branded} {level:?}");
            let mut new = TestApp::captioned(account, media, &caption);
            new.direct = Some(choices(disclosed, own, branded, level));
            let post = t.post(new).await;
            t.run_until(post.id, PostState::Published).await;
            taken += 1;
            t.advance(MINUTE);
        }
    }
    assert_eq!(taken, 12);
}
