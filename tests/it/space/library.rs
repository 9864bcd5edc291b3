//! The media library: folders, labels, words, and texts for captions.

use clipqueue::{
    domain::{
        actor::Scope,
        error::{Code, Error},
        library::{
            self, Edit, experiments, folders,
            search::{self, MediaFilter},
            texts::{self, Parts},
        },
        posts::NewPost,
        uploads::{self, Announcement},
    },
    media::NewUpload,
};
use clipqueue_entities::{MediaId, saved_text::TextKind};
use sha2::{Digest as _, Sha256};

use super::code;
use crate::support::app::{CLIP, TestApp};

crate::on_both_stacks!(
    files_are_found_by_what_is_kept_about_them,
    a_folder_moves_with_everything_in_it,
    the_same_bytes_are_one_file,
    texts_are_kept_and_put_on_drafts,
    labels_of_experiments_are_listed,
);

/// A file that is announced, and nothing of it sent.
async fn file(t: &TestApp, name: &str) -> MediaId {
    let new = NewUpload {
        size: 1000,
        filename: Some(name.to_owned()),
        ..NewUpload::default()
    };
    t.app.media.create(t.actor.user_id, new).await.unwrap().id
}

async fn put(t: &TestApp, id: MediaId, folder: &str, labels: &[&str], caption: &str) {
    let edit = Edit {
        folder: Some(folder.to_owned()),
        labels: Some(labels.iter().map(|label| (*label).to_owned()).collect()),
        caption: Some((!caption.is_empty()).then(|| caption.to_owned())),
        reference: None,
    };
    library::edit(&t.app, &t.actor, id, edit).await.unwrap();
}

async fn found(t: &TestApp, filter: &MediaFilter) -> Vec<MediaId> {
    let files = search::list(&t.app, t.actor.user_id, filter, None, false, 100).await;
    files.unwrap().into_iter().map(|file| file.id).collect()
}

fn words(text: &str) -> MediaFilter {
    MediaFilter {
        words: Some(text.to_owned()),
        ..MediaFilter::default()
    }
}

async fn files_are_found_by_what_is_kept_about_them(t: TestApp) {
    let cat = file(&t, "Cat_100%.mp4").await;
    let dog = file(&t, "dog.mp4").await;
    let bird = file(&t, "Über den Wolken.mp4").await;
    put(
        &t,
        cat,
        " 2027 / may ",
        &["pets", "cute", "pets"],
        "A CAT sleeps",
    )
    .await;
    put(&t, dog, "2027", &["pets"], "").await;
    let other = TestApp::user(&t.app, "bob", &Scope::ALL).await.0;
    let theirs = NewUpload {
        size: 10,
        filename: Some("cat.mp4".to_owned()),
        ..NewUpload::default()
    };
    t.app.media.create(other.user_id, theirs).await.unwrap();

    assert_eq!(found(&t, &words("cat")).await, [cat]);
    assert_eq!(found(&t, &words("SLEEPS mp4")).await, [cat]);
    assert_eq!(found(&t, &words("sleeps dog")).await, [] as [MediaId; 0]);
    assert_eq!(found(&t, &words("über wolken")).await, [bird]);
    assert_eq!(found(&t, &words("pets")).await, [dog, cat]);
    // What would match anything matches itself.
    assert_eq!(found(&t, &words("%")).await, [cat]);
    assert_eq!(found(&t, &words("_")).await, [cat]);
    assert_eq!(found(&t, &words("!")).await, [] as [MediaId; 0]);
    let folder = |path: &str, below| MediaFilter {
        folder: Some(path.to_owned()),
        below,
        ..MediaFilter::default()
    };
    assert_eq!(found(&t, &folder("2027", false)).await, [dog]);
    assert_eq!(found(&t, &folder("/2027/", true)).await, [dog, cat]);
    assert_eq!(found(&t, &folder("", false)).await, [bird]);
    assert_eq!(found(&t, &folder("", true)).await, [bird, dog, cat]);
    let label = MediaFilter {
        label: Some("cute".to_owned()),
        ..MediaFilter::default()
    };
    assert_eq!(found(&t, &label).await, [cat]);

    // Pages go by id: what comes meanwhile shifts nothing.
    let user = t.actor.user_id;
    let all = MediaFilter::default();
    let page = search::list(&t.app, user, &all, None, false, 2)
        .await
        .unwrap();
    assert_eq!([page[0].id, page[1].id], [bird, dog]);
    file(&t, "new.mp4").await;
    let rest = search::list(&t.app, user, &all, Some(dog), false, 2)
        .await
        .unwrap();
    assert_eq!(rest.iter().map(|file| file.id).collect::<Vec<_>>(), [cat]);
    let back = search::list(&t.app, user, &all, Some(cat), true, 1)
        .await
        .unwrap();
    assert_eq!(back[0].id, dog);

    // What is taken away is found no more.
    put(&t, cat, "", &[], "").await;
    assert_eq!(found(&t, &words("sleeps")).await, [] as [MediaId; 0]);
    assert_eq!(found(&t, &label).await, [] as [MediaId; 0]);
    let bad = Edit {
        labels: Some(vec!["a".repeat(51)]),
        ..Edit::default()
    };
    assert_eq!(
        code(library::edit(&t.app, &t.actor, cat, bad).await),
        Code::Invalid
    );
    let foreign = library::edit(&t.app, &other, cat, Edit::default()).await;
    assert!(matches!(foreign, Err(Error::NotFound)));
}

async fn a_folder_moves_with_everything_in_it(t: TestApp) {
    let (one, two, three) = (
        file(&t, "1.mp4").await,
        file(&t, "2.mp4").await,
        file(&t, "3.mp4").await,
    );
    put(&t, one, "a", &["kept"], "").await;
    put(&t, two, "a/b", &[], "").await;
    // Its name only begins the same.
    put(&t, three, "ab", &[], "").await;
    let listed = folders::list(&t.app, t.actor.user_id).await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|folder| (folder.path.as_str(), folder.files, folder.bytes))
        .collect();
    assert_eq!(listed, [("a", 1, 1000), ("a/b", 1, 1000), ("ab", 1, 1000)]);
    assert_eq!(
        folders::rename(&t.app, &t.actor, "a", "new/a")
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        folders::rename(&t.app, &t.actor, "a", "new/a")
            .await
            .unwrap(),
        0
    );
    let listed = folders::list(&t.app, t.actor.user_id).await.unwrap();
    let listed: Vec<&str> = listed.iter().map(|folder| folder.path.as_str()).collect();
    assert_eq!(listed, ["ab", "new/a", "new/a/b"]);
    assert_eq!(found(&t, &words("new kept")).await, [one]);
    assert_eq!(
        code(folders::rename(&t.app, &t.actor, "/", "x").await),
        Code::Invalid
    );
}

async fn the_same_bytes_are_one_file(t: TestApp) {
    let first = t.upload().await;
    let digest = hex::encode(Sha256::digest(CLIP));
    let announce = |sha256: String, size: usize| Announcement {
        filename: "again.mp4".to_owned(),
        size: size as u64,
        content_type: None,
        sha256: Some(sha256),
        folder: Some("copies".to_owned()),
        reference: Some("mine-7".to_owned()),
    };
    let (app, actor) = (&t.app, &t.actor);
    for (sha256, key) in [(digest.clone(), "lower"), (digest.to_uppercase(), "upper")] {
        for _ in 0..2 {
            let again = announce(sha256.clone(), CLIP.len());
            let again = uploads::begin(app, actor, again, key).await.unwrap();
            assert_eq!((again.media.id, again.url), (first, None));
        }
    }
    let other_size = uploads::begin(app, actor, announce(digest.clone(), 5), "size")
        .await
        .unwrap();
    assert!(other_size.url.is_some());
    assert_eq!(other_size.media.folder, "copies");
    assert_eq!(other_size.media.reference.as_deref(), Some("mine-7"));
    let by_reference = MediaFilter {
        reference: Some("mine-7".to_owned()),
        ..MediaFilter::default()
    };
    assert_eq!(found(&t, &by_reference).await, [other_size.media.id]);
    let bob = TestApp::user(app, "bob", &Scope::ALL).await.0;
    let theirs = uploads::begin(app, &bob, announce(digest, CLIP.len()), "again")
        .await
        .unwrap();
    assert_ne!(theirs.media.id, first);
    assert!(theirs.url.is_some());

    // Sent without its hash, it is told afterwards.
    let copy = t.upload().await;
    let copy = uploads::get(app, t.actor.user_id, copy).await.unwrap();
    let original = uploads::original(app, &copy).await.unwrap();
    assert_eq!(original.map(|file| file.id), Some(first));
    let first = uploads::get(app, t.actor.user_id, first).await.unwrap();
    assert_eq!(uploads::original(app, &first).await.unwrap(), None);
}

async fn texts_are_kept_and_put_on_drafts(t: TestApp) {
    let (app, actor) = (&t.app, &t.actor);
    let save = async |kind, name: &str, body: &str| {
        texts::save(app, actor, kind, name.to_owned(), body).await
    };
    let hello = save(TextKind::Caption, "hello", "Hello #Cats")
        .await
        .unwrap();
    let tags = save(TextKind::Hashtags, "pets", "dogs, #cats")
        .await
        .unwrap();
    assert_eq!(tags.body, "#dogs #cats");
    let again = save(TextKind::Hashtags, "pets", "#cats #birds")
        .await
        .unwrap();
    assert_eq!((again.id, again.body.as_str()), (tags.id, "#cats #birds"));
    assert_eq!(
        code(save(TextKind::Hashtags, "odd", "a-b").await),
        Code::Invalid
    );
    let listed = texts::list(app, actor.user_id, Some(TextKind::Caption))
        .await
        .unwrap();
    assert_eq!(listed, std::slice::from_ref(&hello));
    let parts = |caption, hashtags: &[_]| Parts {
        text: Some("Mine".to_owned()),
        caption,
        hashtags: hashtags.to_vec(),
    };
    let composed = texts::compose(app, actor.user_id, &parts(Some(hello.id), &[tags.id])).await;
    assert_eq!(composed.unwrap().unwrap(), "Hello #Cats #birds");
    let composed = texts::compose(app, actor.user_id, &parts(None, &[tags.id])).await;
    assert_eq!(composed.unwrap().unwrap(), "Mine #cats #birds");
    // A set of hashtags is no caption, and another's text is not there.
    let wrong = texts::compose(app, actor.user_id, &parts(Some(tags.id), &[])).await;
    assert_eq!(wrong.unwrap(), Err(texts::Missing("captionId")));
    let bob = TestApp::user(app, "bob", &Scope::ALL).await.0;
    let wrong = texts::compose(app, bob.user_id, &parts(None, &[tags.id])).await;
    assert_eq!(wrong.unwrap(), Err(texts::Missing("hashtagSetIds")));

    let (account, media) = (t.connect("ada.clips").await.id, t.upload().await);
    let draft = NewPost {
        keep_draft: true,
        caption: "Draft".to_owned(),
        ..TestApp::inbox(account, media)
    };
    let draft = t.post(draft).await;
    let put = texts::apply(app, actor, draft.id, draft.version, parts(None, &[tags.id])).await;
    let put = put.unwrap();
    assert_eq!(
        (put.caption.as_str(), put.version),
        ("Draft #cats #birds", 2)
    );
    let stale = texts::apply(app, actor, draft.id, 1, parts(Some(hello.id), &[])).await;
    assert_eq!(code(stale), Code::VersionConflict);
    texts::delete(app, actor, hello.id).await.unwrap();
    let gone = texts::apply(app, actor, draft.id, 2, parts(Some(hello.id), &[])).await;
    assert_eq!(code(gone), Code::NotFound);
}

async fn labels_of_experiments_are_listed(t: TestApp) {
    let (account, media) = (t.connect("ada.clips").await.id, t.upload().await);
    for (label, variant) in [
        ("hooks", Some("b")),
        ("hooks", Some("b")),
        ("hooks", None),
        ("music", Some("a")),
    ] {
        t.post(NewPost {
            keep_draft: true,
            experiment_label: Some(label.to_owned()),
            experiment_variant: variant.map(str::to_owned),
            ..TestApp::inbox(account, media)
        })
        .await;
    }
    let found = experiments::list(&t.app, t.actor.user_id).await.unwrap();
    let names: Vec<&str> = found.iter().map(|label| label.label.as_str()).collect();
    assert_eq!(names, ["hooks", "music"]);
    assert_eq!(found[0].variants, [(None, 1), (Some("b".to_owned()), 2)]);
}
