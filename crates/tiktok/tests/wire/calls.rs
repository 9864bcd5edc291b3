//! User info and the Display API.

use serde_json::json;
use tiktok::user::UserFields;
use tiktok::video::VideoIds;
use tiktok::{Class, PostId, Scopes};

use crate::support::{Fake, token};

#[tokio::test]
async fn user_info_asks_for_granted_fields_only() {
    let body = r#"{"data":{"user":{"open_id":"o","display_name":"Name","follower_count":12}},"error":{"code":"ok"}}"#;
    let (fake, client) = Fake::json(200, body).await;
    let fields = UserFields::covered_by(&Scopes::parse("user.info.stats")).unwrap();
    let user = client.user_info(&token(), &fields).await.unwrap().value;
    assert_eq!(user.display_name.as_deref(), Some("Name"));
    assert_eq!((user.follower_count, user.likes_count), (Some(12), None));
    let seen = fake.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("GET", "/v2/user/info/")
    );
    let query = "fields=follower_count%2Cfollowing_count%2Clikes_count%2Cvideo_count";
    assert_eq!(seen.query.as_deref(), Some(query));

    let (_fake, client) = Fake::json(
        401,
        r#"{"error":{"code":"scope_not_authorized","log_id":"L"}}"#,
    )
    .await;
    let error = client.user_info(&token(), &fields).await.unwrap_err();
    assert_eq!(error.class(), Class::ScopeMissing);
}

#[tokio::test]
async fn video_list() {
    let body = r#"{"data":{"videos":[{"id":"7412345678901234567","create_time":1770210873,"view_count":5000000000,"like_count":null},
        {"title":"no id"}, "odd"],"cursor":1770210873000,"has_more":true},"error":{"code":"ok"}}"#;
    let (fake, client) = Fake::json(200, body).await;
    let page = client
        .list_videos(&token(), Some(1_770_300_000_000), 99)
        .await
        .unwrap()
        .value;
    assert_eq!(
        (page.cursor, page.has_more),
        (Some(1_770_210_873_000), true)
    );
    assert_eq!(page.videos.len(), 1);
    let video = &page.videos[0];
    assert_eq!(video.id, PostId::from(7_412_345_678_901_234_567));
    assert_eq!(
        (video.view_count, video.like_count),
        (Some(5_000_000_000), None)
    );
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/video/list/");
    assert!(
        seen.query
            .as_deref()
            .unwrap()
            .starts_with("fields=id%2Ccreate_time%2C")
    );
    assert_eq!(
        seen.json(),
        json!({"cursor": 1_770_300_000_000_i64, "max_count": 20})
    );

    // The end of the list is an empty page; an answer without videos is not.
    let (_fake, client) =
        Fake::json(200, r#"{"data":{"has_more":false},"error":{"code":"ok"}}"#).await;
    assert!(
        client
            .list_videos(&token(), None, 0)
            .await
            .unwrap()
            .value
            .videos
            .is_empty()
    );
    let (_fake, client) = Fake::json(200, r#"{"data":{},"error":{"code":"ok"}}"#).await;
    assert!(client.list_videos(&token(), None, 10).await.is_err());
}

#[tokio::test]
async fn video_query() {
    let (fake, client) = Fake::json(200, r#"{"data":{"videos":[]},"error":{"code":"ok"}}"#).await;
    let ids = VideoIds::new(vec![PostId::from(9_007_199_254_740_993)]).unwrap();
    assert!(
        client
            .query_videos(&token(), &ids)
            .await
            .unwrap()
            .value
            .is_empty()
    );
    let seen = fake.only();
    assert_eq!(seen.path, "/v2/video/query/");
    assert_eq!(
        seen.json(),
        json!({"filters": {"video_ids": ["9007199254740993"]}})
    );
    for (count, fits) in [(0, false), (20, true), (21, false)] {
        assert_eq!(
            VideoIds::new((0..count).map(PostId::from).collect()).is_ok(),
            fits
        );
    }
}
