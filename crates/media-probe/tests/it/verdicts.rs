//! Each rule's verdict on files of all kinds, and where its limits are.

use media_probe::{
    Container, Error, Facts, VideoCodec,
    rules::{Limits, Outcome, Rule, Verdict, refused, unreadable, verdicts},
};

use super::{facts, fixture, plain};

fn verdict(verdicts: &[Verdict], rule: Rule) -> &Verdict {
    verdicts
        .iter()
        .find(|verdict| verdict.rule == rule)
        .unwrap()
}

#[test]
fn each_rule_has_its_own_verdict() {
    let judged = |name: &str| {
        let size = fixture(name).len() as u64;
        verdicts(&facts(name), size, Limits::INBOX)
    };
    for good in ["clip.mp4", "tail_moov.mov", "vp9.webm", "h265.mp4"] {
        let verdicts = judged(good);
        assert_eq!(verdicts.len(), 7);
        assert!(
            verdicts
                .iter()
                .all(|verdict| verdict.outcome == Outcome::Pass && verdict.fix.is_none()),
            "{good}: {verdicts:?}"
        );
    }
    for (name, rule) in [
        ("fps15.mp4", Rule::FrameRate),
        ("narrow320.mp4", Rule::Width),
        ("mpeg4.mp4", Rule::VideoCodec),
        ("h264.mkv", Rule::Container),
    ] {
        let verdicts = judged(name);
        for verdict in &verdicts {
            let expected = if verdict.rule == rule {
                Outcome::Fail
            } else {
                Outcome::Pass
            };
            assert_eq!(verdict.outcome, expected, "{name}: {verdict:?}");
        }
        assert!(verdict(&verdicts, rule).fix.is_some());
        assert!(refused(&verdicts));
    }
}

#[test]
fn limits_are_exact() {
    let base = plain(Container::Mp4, VideoCodec::H264, 360, 4096);
    let outcome =
        |facts: &Facts, size, limits, rule| verdict(&verdicts(facts, size, limits), rule).outcome;
    let at = |rate| Facts {
        milli_fps: Some(rate),
        ..base.clone()
    };
    for (rate, expected) in [
        (22_499, Outcome::Fail),
        (22_500, Outcome::Warn),
        (23_000, Outcome::Pass),
        (60_000, Outcome::Pass),
        (60_500, Outcome::Warn),
        (60_501, Outcome::Fail),
    ] {
        let found = outcome(&at(rate), 1, Limits::INBOX, Rule::FrameRate);
        assert_eq!(found, expected, "{rate}");
    }
    for (size, expected) in [
        (4_000_000_000, Outcome::Pass),
        (4_000_000_001, Outcome::Fail),
    ] {
        assert_eq!(outcome(&base, size, Limits::INBOX, Rule::Size), expected);
    }
    let long = |millis| Facts {
        duration_ms: Some(millis),
        ..base.clone()
    };
    for (millis, limits, expected) in [
        (600_000, Limits::INBOX, Outcome::Pass),
        (600_001, Limits::INBOX, Outcome::Fail),
        (180_000, Limits::for_creator(180), Outcome::Pass),
        (180_001, Limits::for_creator(180), Outcome::Fail),
    ] {
        assert_eq!(outcome(&long(millis), 1, limits, Rule::Duration), expected);
    }
    for (pixels, expected) in [
        (359, Outcome::Fail),
        (360, Outcome::Pass),
        (4096, Outcome::Pass),
        (4097, Outcome::Fail),
    ] {
        let facts = Facts {
            height: Some(pixels),
            ..base.clone()
        };
        assert_eq!(
            outcome(&facts, 1, Limits::INBOX, Rule::Height),
            expected,
            "{pixels}"
        );
    }
    let silent = Facts {
        duration_ms: None,
        milli_fps: None,
        width: None,
        ..base
    };
    let verdicts = verdicts(&silent, 1, Limits::INBOX);
    for rule in [Rule::Duration, Rule::FrameRate, Rule::Width] {
        assert_eq!(verdict(&verdicts, rule).outcome, Outcome::Unknown);
    }
    assert!(!refused(&verdicts));
}

#[test]
fn an_unreadable_file_fails_by_its_container() {
    let verdicts = unreadable(&Error::NotVideo { found: None }, 10, Limits::INBOX);
    assert_eq!(verdicts.len(), 7);
    assert!(refused(&verdicts));
    assert_eq!(verdict(&verdicts, Rule::Container).outcome, Outcome::Fail);
}

#[test]
fn facts_and_verdicts_survive_json() {
    let facts = facts("mpeg4.mp4");
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    let verdicts = verdicts(&facts, 1, Limits::INBOX);
    let json = serde_json::to_string(&verdicts).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Verdict>>(&json).unwrap(),
        verdicts
    );
}
