//! Experiments: posts side by side at the same ages, with how many stand behind each number.

use clipqueue::domain::{
    actor::Scope,
    counters::experiments::{self, Experiment},
    error::{Code, Error},
    posts::NewPost,
};
use clipqueue_entities::post::PostState;

use super::support::{hours, start};
use crate::support::{
    app::{Stack, TestApp},
    flows::{codes, refusals},
};

crate::on_both_stacks_by_hand!(
    variants_are_compared_at_the_same_age,
    a_variant_belongs_to_an_experiment,
);

async fn of(t: &TestApp, label: &str) -> Experiment {
    experiments::of(&t.app, t.actor.user_id, label)
        .await
        .unwrap()
}

fn variant(base: NewPost, caption: &str, name: Option<&str>) -> NewPost {
    NewPost {
        caption: caption.to_owned(),
        experiment_label: Some("hooks".to_owned()),
        experiment_variant: name.map(str::to_owned),
        ..base
    }
}

async fn variants_are_compared_at_the_same_age(stack: Stack) {
    let mut t = start(stack).await;
    let (account, media) = t.ready().await;
    let base = || TestApp::direct(account, media);
    for (caption, name) in [("one", Some("b")), ("two", Some("a")), ("three", Some("a"))] {
        let post = t.post(variant(base(), caption, name)).await;
        t.run_until(post.id, PostState::Published).await;
    }
    // One that was never posted.
    let mut later = variant(base(), "four", None);
    later.publish_at = Some(t.clock.now() + crate::support::flows::DAY);
    t.post(later).await;
    hours(&mut t, 2).await;
    // Its id came after the post was published.
    hours(&mut t, 2).await;

    let found = of(&t, "hooks").await;
    let names: Vec<_> = found
        .variants
        .iter()
        .map(|variant| variant.name.as_deref())
        .collect();
    assert_eq!(
        names,
        [None, Some("a"), Some("b")],
        "by name, not by success"
    );
    let sizes: Vec<_> = found
        .variants
        .iter()
        .map(|variant| {
            (
                variant.posts.len(),
                variant.sample_size,
                variant.by_age[0].sample_size,
            )
        })
        .collect();
    assert_eq!(sizes, [(1, 0, 0), (2, 2, 2), (1, 1, 1)]);
    let of_a = &found.variants[1].by_age;
    let views = of_a[0].views.unwrap();
    assert_eq!((of_a[0].hours, views.sample_size), (1, 2));
    assert!(views.min >= 100 && views.min <= views.median && views.median <= views.max);
    assert_eq!(of_a[3].sample_size, 0);
    assert_eq!(
        of_a[3].gaps.values().sum::<u32>(),
        2,
        "not old enough is no zero"
    );
    assert_eq!(of_a[3].views, None);

    let (stranger, _) = TestApp::user(&t.app, "bob", &[Scope::PostsRead]).await;
    let foreign = experiments::of(&t.app, stranger.user_id, "hooks").await;
    assert!(matches!(foreign, Err(Error::NotFound)));
}

async fn a_variant_belongs_to_an_experiment(stack: Stack) {
    let t = start(stack).await;
    let (account, media) = t.ready().await;
    let mut alone = variant(TestApp::direct(account, media), "alone", Some("a"));
    alone.experiment_label = None;
    let refused = clipqueue::domain::posts::create(&t.app, &t.actor, alone, "k").await;
    assert_eq!(refusals(refused)[0].field, ["input", "experimentVariant"]);
    let empty = variant(TestApp::direct(account, media), "empty", Some(" "));
    let refused = clipqueue::domain::posts::create(&t.app, &t.actor, empty, "l").await;
    assert_eq!(codes(refused), [Code::Invalid]);
}
