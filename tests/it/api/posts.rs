//! A post from its upload to TikTok, as a front end sees it.

use clipqueue::media::Media;
use serde_json::{Value, json};

use super::fixture::{Tenant, World};

/// Makes an inbox post that is due in an hour and gives its id.
pub(super) async fn inbox_post(
    world: &World,
    tenant: &Tenant,
    media: &Media,
    label: &str,
) -> String {
    let at = world.clock.now() + std::time::Duration::from_secs(3600);
    let input = json!({
        "idempotencyKey": format!("post-{label}-{}", media.id),
        "caption": "A caption",
        "experimentLabel": label,
        "publishAt": instant(at.as_millis()),
    });
    let answer = create(world, tenant, media, input).await;
    assert_eq!(answer["userErrors"], json!([]), "{answer}");
    answer["post"]["id"].as_str().unwrap().to_owned()
}

/// Makes a direct post of one photo that is not sent, and gives its id.
pub(super) async fn photo_draft(world: &World, tenant: &Tenant) -> String {
    let photo = world.photo(&tenant.actor).await;
    let (account, photo) = ids(tenant, &photo);
    let input = json!({
        "idempotencyKey": "photos",
        "accountId": account,
        "photos": { "mediaIds": [photo], "autoAddMusic": false },
        "direct": direct(),
        "keepDraft": true,
    });
    let answer = world.ask(tenant, CREATE, json!({ "input": input })).await;
    let answer = &answer["createPost"];
    assert_eq!(answer["userErrors"], json!([]), "{answer}");
    answer["post"]["id"].as_str().unwrap().to_owned()
}

fn instant(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .unwrap()
        .to_rfc3339()
}

pub(super) fn direct() -> Value {
    json!({
        "privacyLevel": "PUBLIC_TO_EVERYONE",
        "allowComment": true,
        "allowDuet": false,
        "allowStitch": false,
        "disclosesCommercial": false,
        "yourBrand": false,
        "brandedContent": false,
        "aiGenerated": true,
    })
}

const CREATE: &str = "mutation ($input: CreatePostInput!) { createPost(input: $input) {
    post { id state phase mode caption version accountId mediaId nextAction { actor text } direct { privacyLevel aiGenerated } captionHandoff { text copiedAt explanation } consent { version } }
    userErrors { field code message retryable retryAt } } }";

pub(super) async fn create(
    world: &World,
    tenant: &Tenant,
    media: &Media,
    mut input: Value,
) -> Value {
    let (account, media) = ids(tenant, media);
    input["accountId"] = account;
    input["mediaId"] = media;
    world.ask(tenant, CREATE, json!({ "input": input })).await["createPost"].take()
}

pub(super) fn ids(tenant: &Tenant, media: &Media) -> (Value, Value) {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let global = |text: String| json!(URL_SAFE_NO_PAD.encode(text));
    (
        global(format!("TikTokAccount:{}", tenant.account.id)),
        global(format!("Media:{}", media.id)),
    )
}

#[tokio::test]
async fn a_direct_post_is_published_and_its_timeline_proves_it() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let (account, _) = ids(&tenant, &media);

    let info = world
        .ask(
            &tenant,
            "query ($id: ID!) { creatorInfo(accountId: $id) { fetchedAt privacyLevels canPost reason { code } maxVideoDurationSeconds username } }",
            json!({ "id": account }),
        )
        .await;
    assert_eq!(info["creatorInfo"]["canPost"], true, "{info}");
    assert_eq!(info["creatorInfo"]["fetchedAt"], "2027-01-15T08:00:00.000Z");
    assert_eq!(
        info["creatorInfo"]["privacyLevels"][0],
        "PUBLIC_TO_EVERYONE"
    );

    let input = json!({
        "idempotencyKey": "one",
        "caption": "Hello",
        "direct": direct(),
        "creatorConsent": true,
        "uploadReference": "ref-1",
    });
    let made = create(&world, &tenant, &media, input.clone()).await;
    assert_eq!(made["userErrors"], json!([]));
    assert_eq!(made["post"]["state"], "SCHEDULED");
    assert_eq!(made["post"]["direct"]["aiGenerated"], true);
    assert_eq!(made["post"]["captionHandoff"], Value::Null);
    assert_eq!(made["post"]["consent"]["version"], "music-usage");
    let id = made["post"]["id"].as_str().unwrap();

    let again = create(&world, &tenant, &media, input.clone()).await;
    assert_eq!(again["post"]["id"], id);
    let mut other = input;
    other["caption"] = json!("Goodbye");
    let mismatch = create(&world, &tenant, &media, other).await;
    assert_eq!(mismatch["userErrors"][0]["code"], "IDEMPOTENCY_MISMATCH");
    assert_eq!(
        mismatch["userErrors"][0]["field"],
        json!(["input", "idempotencyKey"])
    );

    world.until(&tenant, id, "PUBLISHED").await;
    let post = world
        .ask(
            &tenant,
            "query ($id: ID!) { node(id: $id) { ... on Post {
                phase progress { bytesSent bytesTotal percent } tiktokPostIds nextAction { text }
                account { openId status } media { state sha256 facts { container } verdicts { rule outcome } }
                attempts { number phase publishId bytesAcked outcome logId closedAt }
                timeline(first: 100) { edges { cursor node { cursor kind from to evidence { source subject httpStatus code logId } } } pageInfo { hasNextPage } }
            } } }",
            json!({ "id": id }),
        )
        .await;
    let post = &post["node"];
    assert_eq!(post["phase"], "FINISHED");
    assert_eq!(post["progress"]["percent"], 100);
    assert_eq!(post["media"]["state"], "READY");
    assert_eq!(post["attempts"][0]["phase"], "CLOSED", "{post}");
    assert!(post["attempts"][0]["publishId"].is_string());
    assert_eq!(post["tiktokPostIds"].as_array().unwrap().len(), 1);
    let edges = post["timeline"]["edges"].as_array().unwrap();
    assert!(
        edges
            .iter()
            .all(|edge| edge["cursor"] == edge["node"]["cursor"])
    );
    let last = &edges.last().unwrap()["node"];
    assert_eq!(last["to"], "PUBLISHED", "{post}");
    assert_eq!(last["evidence"]["source"], "TIKTOK_API");
    assert_eq!(last["evidence"]["httpStatus"], 200);
    assert!(last["evidence"]["logId"].is_string());
    for edge in edges
        .iter()
        .filter(|edge| edge["node"]["kind"] == "post.state")
    {
        assert!(edge["node"]["evidence"].is_object(), "{edge}");
    }
}

#[tokio::test]
async fn an_inbox_post_hands_its_caption_over() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let id = inbox_post(&world, &tenant, &media, "inbox").await;
    let answer = world
        .ask(
            &tenant,
            "mutation ($input: MarkCaptionCopiedInput!) { markCaptionCopied(input: $input) { post { direct { aiGenerated } captionHandoff { text copiedAt explanation } } userErrors { code } } }",
            json!({ "input": { "id": id } }),
        )
        .await;
    let handoff = &answer["markCaptionCopied"]["post"]["captionHandoff"];
    assert_eq!(handoff["text"], "A caption");
    assert_eq!(handoff["copiedAt"], "2027-01-15T08:00:00.000Z");
    assert!(
        handoff["explanation"]
            .as_str()
            .unwrap()
            .contains("without text")
    );
    assert_eq!(answer["markCaptionCopied"]["post"]["direct"], Value::Null);
}

#[tokio::test]
async fn a_draft_is_edited_submitted_and_cancelled() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let input = json!({ "idempotencyKey": "draft", "keepDraft": true, "uploadReference": "r" });
    let made = create(&world, &tenant, &media, input).await;
    assert_eq!(made["post"]["state"], "DRAFT");
    assert_eq!(made["post"]["phase"], "SCHEDULED");
    let id = made["post"]["id"].clone();

    let update = "mutation ($input: UpdatePostInput!) { updatePost(input: $input) { post { version caption uploadReference publishAt } userErrors { code field } } }";
    let changes = json!({ "caption": "New", "uploadReference": null, "publishAt": "2027-01-15T10:00:00+01:00" });
    let first = world
        .ask(
            &tenant,
            update,
            json!({ "input": { "id": id, "expectedVersion": 1, "changes": changes } }),
        )
        .await;
    let post = &first["updatePost"]["post"];
    assert_eq!(first["updatePost"]["userErrors"], json!([]));
    assert_eq!(
        (&post["version"], &post["caption"]),
        (&json!(2), &json!("New"))
    );
    assert_eq!(post["uploadReference"], Value::Null);
    assert_eq!(post["publishAt"], "2027-01-15T09:00:00.000Z");

    let late = world
        .ask(&tenant, update, json!({ "input": { "id": id, "expectedVersion": 1, "changes": { "caption": "Lost" } } }))
        .await;
    assert_eq!(
        late["updatePost"]["userErrors"][0]["code"],
        "VERSION_CONFLICT"
    );
    assert_eq!(
        late["updatePost"]["post"]["caption"], "New",
        "the payload holds the present post"
    );

    let act = |name: &str, input: &str| {
        format!(
            "mutation ($input: {input}!) {{ {name}(input: $input) {{ post {{ state nextAction {{ actor }} }} userErrors {{ code }} }} }}"
        )
    };
    let submitted = world
        .ask(
            &tenant,
            &act("submitPost", "SubmitPostInput"),
            json!({ "input": { "id": id } }),
        )
        .await;
    assert_eq!(submitted["submitPost"]["post"]["state"], "SCHEDULED");
    let cancelled = world
        .ask(
            &tenant,
            &act("cancelPost", "CancelPostInput"),
            json!({ "input": { "id": id } }),
        )
        .await;
    assert_eq!(cancelled["cancelPost"]["post"]["state"], "CANCELLED");
    let retry = act("retryPost", "RetryPostInput");
    let retried = world
        .ask(
            &tenant,
            &retry,
            json!({ "input": { "id": id, "idempotencyKey": "again" } }),
        )
        .await;
    assert_eq!(
        retried["retryPost"]["post"]["state"], "SCHEDULED",
        "{retried}"
    );
    let refused = world
        .ask(
            &tenant,
            &retry,
            json!({ "input": { "id": id, "idempotencyKey": "once-more" } }),
        )
        .await;
    assert_eq!(refused["retryPost"]["userErrors"][0]["code"], "WRONG_STATE");
    assert_eq!(refused["retryPost"]["post"]["state"], "SCHEDULED");
}

#[tokio::test]
async fn a_file_that_a_post_needs_is_not_deleted() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let post = inbox_post(&world, &tenant, &media, "needs").await;
    let (_, id) = ids(&tenant, &media);
    let delete = "mutation ($input: DeleteMediaInput!) { deleteMedia(input: $input) { media { state } userErrors { code message } } }";
    let refused = world
        .ask(&tenant, delete, json!({ "input": { "id": id } }))
        .await;
    assert_eq!(
        refused["deleteMedia"]["userErrors"][0]["code"],
        "WRONG_STATE"
    );
    world
        .ask(
            &tenant,
            "mutation ($input: CancelPostInput!) { cancelPost(input: $input) { userErrors { code } } }",
            json!({ "input": { "id": post } }),
        )
        .await;
    for _ in 0..2 {
        let done = world
            .ask(&tenant, delete, json!({ "input": { "id": id } }))
            .await;
        assert_eq!(done["deleteMedia"]["media"]["state"], "DELETED", "{done}");
    }
}
