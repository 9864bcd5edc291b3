//! Creator info, the inits, status and cancel.

use serde_json::json;
use tiktok::publish::{Disclosure, PhotoMode, PhotoPost, PhotoSet, VideoPost, VideoSource};
use tiktok::{Class, FailReason, Outcome, PrivacyLevel, PublishState, chunks};

use crate::support::{Fake, assert_discreet, token};

fn post() -> VideoPost {
    VideoPost {
        title: Some("Ein #Test 👍".into()),
        privacy_level: PrivacyLevel::SelfOnly,
        disable_duet: true,
        disable_stitch: true,
        disable_comment: false,
        cover_timestamp_ms: Some(1500),
        disclosure: Disclosure {
            branded_content: false,
            own_brand: true,
        },
        is_aigc: true,
    }
}

#[tokio::test]
async fn creator_info() {
    let body = r#"{"data":{"creator_nickname":"Nick","privacy_level_options":["SELF_ONLY","NEW_LEVEL","PUBLIC_TO_EVERYONE"],
        "comment_disabled":true,"max_video_post_duration_sec":300},"error":{"code":"ok","message":"","log_id":"L"}}"#;
    let (fake, client) = Fake::json(200, body).await;
    let info = client.creator_info(&token()).await.unwrap();
    assert_eq!(info.logs.any().unwrap().as_str(), "L");
    let info = info.value;
    assert_eq!(
        info.privacy_levels,
        [PrivacyLevel::SelfOnly, PrivacyLevel::PublicToEveryone]
    );
    assert_eq!(info.unknown_privacy_levels, ["NEW_LEVEL"]);
    assert!(info.comment_disabled && !info.duet_disabled);
    assert_eq!(info.max_video_duration.unwrap().as_secs(), 300);
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/creator_info/query/");
    assert_eq!(seen.header("authorization"), Some("Bearer act.s3cret!1.e1"));
    assert_eq!(
        seen.header("content-type"),
        Some("application/json; charset=UTF-8")
    );
}

#[tokio::test]
async fn a_creator_who_cannot_post_is_an_error_despite_http_200() {
    let table = [
        ("spam_risk_too_many_posts", Class::CreatorCap),
        ("spam_risk_user_banned_from_posting", Class::CreatorBanned),
        ("reached_active_user_cap", Class::AppUserCap),
    ];
    for (code, class) in table {
        for data in ["{}", r#"{"privacy_level_options":["SELF_ONLY"]}"#, "null"] {
            let body = format!(
                r#"{{"data":{data},"error":{{"code":"{code}","message":"m","log_id":"L"}}}}"#
            );
            let (_fake, client) = Fake::json(200, &body).await;
            let error = client.creator_info(&token()).await.unwrap_err();
            assert_eq!(
                (error.class(), error.outcome()),
                (class, Outcome::NotProcessed)
            );
        }
    }
}

#[tokio::test]
async fn direct_video() {
    let body = r#"{"data":{"publish_id":"v_pub_file~v2-1.7","upload_url":"https://up.tiktokapis.com/v?upload_token=s3cret"},"error":{"code":"ok"}}"#;
    let (fake, client) = Fake::json(200, body).await;
    let source = VideoSource::FileUpload(chunks::plan(66_259_900).unwrap());
    let init = client
        .init_video(&token(), &post(), &source)
        .await
        .unwrap()
        .value;
    assert_eq!(init.publish_id.as_str(), "v_pub_file~v2-1.7");
    assert!(!format!("{init:?}").contains("s3cret"));
    assert_eq!(
        init.upload_url.unwrap().expose(),
        "https://up.tiktokapis.com/v?upload_token=s3cret"
    );
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/video/init/");
    assert_eq!(
        seen.json(),
        json!({
            "post_info": {
                "title": "Ein #Test 👍", "privacy_level": "SELF_ONLY",
                "disable_duet": true, "disable_stitch": true, "disable_comment": false,
                "video_cover_timestamp_ms": 1500,
                "brand_content_toggle": false, "brand_organic_toggle": true, "is_aigc": true,
            },
            "source_info": {
                "source": "FILE_UPLOAD", "video_size": 66_259_900, "chunk_size": 32_000_000, "total_chunk_count": 2,
            },
        })
    );
}

#[tokio::test]
async fn inbox_video_carries_no_text() {
    let (fake, client) = Fake::json(
        200,
        r#"{"data":{"publish_id":"v_inbox_url~v2.1"},"error":{"code":"ok"}}"#,
    )
    .await;
    let source = VideoSource::PullFromUrl("https://media.example/v.mp4?sig=1".parse().unwrap());
    let init = client
        .init_inbox_video(&token(), &source)
        .await
        .unwrap()
        .value;
    assert!(init.upload_url.is_none());
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/inbox/video/init/");
    let expected = json!({"source_info": {"source": "PULL_FROM_URL", "video_url": "https://media.example/v.mp4?sig=1"}});
    assert_eq!(seen.json(), expected);
}

#[tokio::test]
async fn photos() {
    let urls = ["https://m.example/1.jpg", "https://m.example/2.jpg"].map(|u| u.parse().unwrap());
    let mut post = PhotoPost {
        title: None,
        description: Some("d".into()),
        photos: PhotoSet::new(urls.into(), 1).unwrap(),
        mode: PhotoMode::Direct {
            privacy_level: PrivacyLevel::PublicToEveryone,
            disable_comment: true,
            auto_add_music: false,
            disclosure: Disclosure::default(),
        },
        is_aigc: false,
    };
    let answer = r#"{"data":{"publish_id":"p_pub_url~v2.1"},"error":{"code":"ok"}}"#;
    let source_info = json!({
        "source": "PULL_FROM_URL", "photo_cover_index": 1,
        "photo_images": ["https://m.example/1.jpg", "https://m.example/2.jpg"],
    });
    let (fake, client) = Fake::json(200, answer).await;
    let id = client.init_photo(&token(), &post).await.unwrap().value;
    assert_eq!(id.as_str(), "p_pub_url~v2.1");
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/content/init/");
    assert_eq!(
        seen.json(),
        json!({
            "media_type": "PHOTO", "post_mode": "DIRECT_POST", "is_aigc": false,
            "post_info": {
                "description": "d", "privacy_level": "PUBLIC_TO_EVERYONE", "disable_comment": true,
                "auto_add_music": false, "brand_content_toggle": false, "brand_organic_toggle": false,
            },
            "source_info": source_info,
        })
    );

    post.mode = PhotoMode::Draft;
    let (fake, client) = Fake::json(200, answer).await;
    client.init_photo(&token(), &post).await.unwrap();
    assert_eq!(
        fake.only().json(),
        json!({
            "media_type": "PHOTO", "post_mode": "MEDIA_UPLOAD", "is_aigc": false,
            "post_info": {"description": "d"},
            "source_info": source_info,
        })
    );
}

#[test]
fn photo_sets_have_bounds() {
    let url = || "https://m.example/1.jpg".parse().unwrap();
    for (count, cover, fits) in [
        (0, 0, false),
        (1, 0, true),
        (1, 1, false),
        (35, 34, true),
        (36, 0, false),
    ] {
        let set = PhotoSet::new((0..count).map(|_| url()).collect(), cover);
        assert_eq!(set.is_ok(), fits, "{count} {cover}");
    }
}

#[tokio::test]
async fn an_init_without_a_usable_id_is_of_unknown_outcome() {
    for data in ["{}", r#"{"publish_id":""}"#, r#"{"publish_id":7}"#, "null"] {
        let body = format!(r#"{{"data":{data},"error":{{"code":"ok","log_id":"L"}}}}"#);
        let (_fake, client) = Fake::json(200, &body).await;
        let source = VideoSource::FileUpload(chunks::plan(5).unwrap());
        let error = client
            .init_video(&token(), &post(), &source)
            .await
            .unwrap_err();
        assert_eq!(error.class(), Class::Ambiguous);
        assert_eq!(error.logs().unwrap().any().unwrap().as_str(), "L");
    }
    // An unusable upload URL must not cost the publish id.
    let body = r#"{"data":{"publish_id":"p","upload_url":"nonsense"},"error":{"code":"ok"}}"#;
    let (_fake, client) = Fake::json(200, body).await;
    let source = VideoSource::FileUpload(chunks::plan(5).unwrap());
    let init = client
        .init_video(&token(), &post(), &source)
        .await
        .unwrap()
        .value;
    assert!(init.publish_id.as_str() == "p" && init.upload_url.is_none());
}

#[tokio::test]
async fn a_refused_init_is_certain_and_says_why() {
    let body = r#"{"data":{},"error":{"code":"invalid_params","message":"The chunk size is invalid","log_id":"L"}}"#;
    let (_fake, client) = Fake::json(400, body).await;
    let source = VideoSource::FileUpload(chunks::plan(5).unwrap());
    let error = client
        .init_video(&token(), &post(), &source)
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.outcome()),
        (Class::BadRequest, Outcome::NotProcessed)
    );
    assert!(error.to_string().contains("The chunk size is invalid"));
    assert_discreet(&error);
}

#[tokio::test]
async fn status() {
    let body = r#"{"data":{"status":"PUBLISH_COMPLETE","publicaly_available_post_id":[9007199254740993,7412345678901234567],
        "uploaded_bytes":30567100},"error":{"code":"ok"}}"#;
    let (fake, client) = Fake::json(200, body).await;
    let id = "v_pub_file~v2-1.7".parse().unwrap();
    let status = client.publish_status(&token(), &id).await.unwrap().value;
    assert_eq!(status.state, PublishState::PublishComplete);
    let ids: Vec<_> = status.post_ids.iter().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["9007199254740993", "7412345678901234567"]);
    assert_eq!(status.uploaded_bytes, Some(30_567_100));
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/status/fetch/");
    assert_eq!(seen.json(), json!({"publish_id": "v_pub_file~v2-1.7"}));

    let (_fake, client) = Fake::json(
        200,
        r#"{"data":{"status":"FAILED","fail_reason":"internal"},"error":{"code":"ok"}}"#,
    )
    .await;
    let failed = client.publish_status(&token(), &id).await.unwrap().value;
    assert_eq!(
        (failed.state, failed.fail_reason),
        (PublishState::Failed, Some(FailReason::Internal))
    );

    let body = r#"{"error":{"code":"invalid_params","message":"invalid_publish_id","log_id":"L"}}"#;
    let (_fake, client) = Fake::json(400, body).await;
    let error = client.publish_status(&token(), &id).await.unwrap_err();
    assert_eq!(error.class(), Class::NotFoundYet);
}

#[tokio::test]
async fn cancel() {
    let id = "v_pub_url~v2.7".parse().unwrap();
    let (fake, client) =
        Fake::json(200, r#"{"error":{"code":"ok","message":"","log_id":"L"}}"#).await;
    client.cancel(&token(), &id).await.unwrap();
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/post/publish/cancel/");
    assert_eq!(seen.json(), json!({"publish_id": "v_pub_url~v2.7"}));
    let (_fake, client) = Fake::json(400, r#"{"error":{"code":"publish_not_cancellable"}}"#).await;
    let error = client.cancel(&token(), &id).await.unwrap_err();
    assert_eq!(error.class(), Class::NotCancellable);
}
