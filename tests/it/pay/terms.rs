//! The thirty days of a request: reminders, the end of what nobody proved, what is overdue, and what is left.

use clipqueue::domain::{
    deletions::{
        TERM, clock,
        judge::{self, Found},
    },
    overdue, retention,
};
use clipqueue_entities::deletion_request::{self, RequestState};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _};

use super::{ADDRESS, CREATOR, smtp::Server, with_mail};
use crate::support::{
    app::Stack,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(
    nobody_proved_it_so_it_is_reminded_of_and_lapses,
    what_is_proved_and_late_is_overdue_until_it_is_done,
    the_sweep_comes_every_minute_and_mends_lost_jobs,
    a_request_behind_many_others_has_its_turn,
);

const OPERATOR: &str = "operator@example.org";

async fn nobody_proved_it_so_it_is_reminded_of_and_lapses(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[("mail.operators", OPERATOR)]).await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    assert_eq!(ticket.due_at, t.clock.now() + TERM);
    let mut seen = Vec::new();
    for day in 1..=30 {
        t.advance(DAY);
        // Each day is looked at more than once.
        clock::sweep(&t.app).await.unwrap();
        clock::sweep(&t.app).await.unwrap();
        t.drain().await;
        let letters = server.letters();
        let to = |whom: &str| letters.iter().filter(|letter| letter.to == whom).count();
        seen.push((day, to(ADDRESS), to(OPERATOR)));
    }
    let changes: Vec<_> = seen
        .windows(2)
        .filter(|two| two[0].1 != two[1].1)
        .map(|two| two[1])
        .collect();
    assert_eq!(
        changes,
        [(23, 2, 1), (27, 3, 2), (29, 4, 3), (30, 5, 3)],
        "{seen:?}"
    );
    let row = t.standing(&ticket).await.row;
    assert_eq!(row.state, RequestState::Lapsed);
    assert_eq!(
        (row.details_sealed, row.email_sealed, row.name_hash),
        (None, None, None)
    );
    let letters = server.letters();
    let last = letters.last().unwrap();
    assert_eq!(
        last.header("Subject"),
        "Your request to delete your data has lapsed"
    );
    let reminder = letters.iter().find(|letter| letter.to == OPERATOR).unwrap();
    assert!(
        reminder.says().contains(&ticket.id.to_string()),
        "{}",
        reminder.says()
    );
    assert!(
        !reminder.says().contains(CREATOR),
        "an operator looks it up"
    );
    assert_eq!(overdue::count(&t.app).await.unwrap().deletions, 0);
    // That there was one is known for a while, and then not even that.
    t.advance(DAY * 29);
    let early = retention::prune(&t.app).await.unwrap();
    assert_eq!(early.of("deletion_requests"), 0);
    t.advance(DAY * 2);
    let late = retention::prune(&t.app).await.unwrap();
    assert_eq!(late.of("deletion_requests"), 1);
    assert_eq!(early.of("mails") + late.of("mails"), 8);
    assert_eq!(
        deletion_request::Entity::find()
            .count(t.app.db.read())
            .await
            .unwrap(),
        0
    );
}

async fn what_is_proved_and_late_is_overdue_until_it_is_done(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[("mail.operators", OPERATOR)]).await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    t.drain().await;
    let found = Found {
        user_name: "ada".to_owned(),
        account: None,
    };
    judge::approve(&t.app, None, ticket.id, &found, "a letter")
        .await
        .unwrap();
    let pending = clock::pending(&t.app).await.unwrap();
    assert_eq!(pending, [("open", 0), ("proven", 1)]);
    // No worker runs; the clock does.
    t.advance(TERM - HOUR);
    assert_eq!(overdue::count(&t.app).await.unwrap().deletions, 0);
    clock::sweep(&t.app).await.unwrap();
    t.advance(HOUR * 2);
    let late = overdue::count(&t.app).await.unwrap();
    assert_eq!(late.deletions, 1);
    assert!(late.by_kind().contains(&("deletion", 1)));
    clock::sweep(&t.app).await.unwrap();
    assert_eq!(
        t.standing(&ticket).await.row.state,
        RequestState::Proven,
        "it does not lapse"
    );
    t.drain().await;
    for _ in 0..20 {
        t.advance(MINUTE);
        t.drain().await;
    }
    assert_eq!(t.standing(&ticket).await.row.state, RequestState::Done);
    assert_eq!(overdue::count(&t.app).await.unwrap().deletions, 0);
    let letters = server.letters();
    let warned = letters.iter().find(|letter| letter.to == OPERATOR).unwrap();
    assert!(
        warned.says().contains("its erasure has not ended"),
        "{}",
        warned.says()
    );
}

async fn the_sweep_comes_every_minute_and_mends_lost_jobs(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    for kind in ["look_at_profile", "send_mail"] {
        let job = t.jobs(kind).await.remove(0);
        clipqueue_entities::job::Entity::delete_by_id(job.id)
            .exec(t.app.db.write())
            .await
            .unwrap();
    }
    t.advance(MINUTE * 2);
    t.fire_crons().await;
    assert_eq!(server.letters().len(), 1);
    assert_eq!(t.jobs("look_at_profile").await.len(), 1);
    assert_eq!(t.standing(&ticket).await.row.state, RequestState::Open);
    // It looks at its time, and finds nobody.
    t.advance(MINUTE * 10);
    t.fire_crons().await;
    assert!(t.standing(&ticket).await.row.looked_at.is_some());
}

/// More than the sweep reads at once.
const MANY: usize = 450;

async fn a_request_behind_many_others_has_its_turn(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    t.drain().await;
    assert_eq!(t.kinds_of_mails().await, ["deletion_received"]);
    // They end before it, and everything was said about them.
    let told = deletion_request::Model {
        details_sealed: None,
        email_sealed: None,
        name_hash: None,
        reminded: Some(1),
        due_at: ticket.due_at - DAY,
        ..t.standing(&ticket).await.row
    };
    let many = (0..MANY).map(|number| {
        let row = deletion_request::Model {
            id: clipqueue_entities::DeletionRequestId::new(),
            code_hash: format!("told-{number}"),
            ..told.clone()
        };
        row.into_active_model().reset_all()
    });
    deletion_request::Entity::insert_many(many)
        .exec_without_returning(t.app.db.write())
        .await
        .unwrap();
    let job = t.jobs("look_at_profile").await.remove(0);
    clipqueue_entities::job::Entity::delete_by_id(job.id)
        .exec(t.app.db.write())
        .await
        .unwrap();
    t.advance(DAY * 27 + HOUR);
    clock::sweep(&t.app).await.unwrap();
    assert_eq!(t.jobs("look_at_profile").await.len(), 1);
    assert_eq!(
        t.kinds_of_mails().await,
        ["deletion_received", "deletion_unproven"]
    );
}
