//! Letters: sent once, tried again, given up, and gone from here as soon as they are out.

use clipqueue::domain::{
    erasure::{
        self,
        search::{self, Needle},
    },
    mails::{self, To, letters::Content},
    retention::{self, Depth},
};
use clipqueue_entities::{deletion_request::RequestState, job::JobState, mail::MailState};
use secrecy::SecretString;

use super::{
    ADDRESS, CREATOR,
    proofs::SCOPES,
    smtp::{Manner, Server},
    with_mail,
};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(
    a_letter_is_sent_once_and_forgotten,
    a_busy_server_is_tried_again_and_a_refusal_is_not,
    an_answer_that_was_lost_brings_the_same_letter_again,
    a_server_that_stays_away_is_given_up_and_said_so,
);
crate::on_both_stacks!(without_a_server_letters_are_files);
crate::on_both_stacks_by_hand!(files_of_letters_go_with_whom_they_were_about);

async fn write(t: &TestApp, cause: &str) {
    let address = SecretString::from(ADDRESS);
    let to = To {
        address: &address,
        user: Some(t.actor.user_id),
    };
    let content = Content::PaymentFailed {
        ends: "2027-01-15T08:00:00Z".to_owned(),
    };
    let tx = t.app.db.begin().await.unwrap();
    mails::write_in_tx(&t.app, &tx, cause, to, &content)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn a_letter_is_sent_once_and_forgotten(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    write(&t, "one").await;
    // Whoever finds the same cause again writes nothing.
    write(&t, "one").await;
    let before = t.mails().await;
    assert_eq!(before.len(), 1);
    assert!(before[0].recipient_sealed.is_some() && before[0].content_sealed.is_some());
    t.drain().await;
    let letters = server.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, ADDRESS);
    assert_eq!(
        letters[0].header("Subject"),
        "A payment for your plan failed"
    );
    assert!(letters[0].says().contains("2027-01-15T08:00:00Z"));
    let after = &t.mails().await[0];
    assert_eq!(after.state, MailState::Sent);
    assert_eq!(
        (&after.recipient_sealed, &after.content_sealed),
        (&None, &None)
    );
    assert_eq!(after.ended_at, Some(t.clock.now()));
    // The clean-up finds nothing more to do.
    mails::sweep(&t.app).await.unwrap();
    t.drain().await;
    assert_eq!(server.letters().len(), 1);
}

async fn a_busy_server_is_tried_again_and_a_refusal_is_not(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    server.behave([
        Manner::Refuse("451 later"),
        Manner::Refuse("421 busy"),
        Manner::Take,
        Manner::Refuse("550 nobody here"),
    ]);
    write(&t, "one").await;
    t.drain().await;
    let waiting = &t.mails().await[0];
    assert_eq!(waiting.state, MailState::Waiting);
    assert_eq!(waiting.last_error.as_deref(), Some("later"));
    assert_eq!(server.letters().len(), 0);
    for _ in 0..2 {
        t.advance(HOUR);
        t.drain().await;
    }
    assert_eq!(server.letters().len(), 1);
    assert_eq!(t.mails().await[0].last_error, None);

    write(&t, "two").await;
    t.drain().await;
    let refused = t.mails().await.pop().unwrap();
    assert_eq!(refused.state, MailState::Failed);
    assert_eq!(refused.last_error.as_deref(), Some("refused"));
    assert_eq!(
        (refused.recipient_sealed, refused.content_sealed),
        (None, None)
    );
    t.advance(DAY);
    t.drain().await;
    assert_eq!(server.letters().len(), 1);
    let jobs = t.jobs("send_mail").await;
    assert!(jobs.iter().all(|job| job.state == JobState::Completed));
}

async fn an_answer_that_was_lost_brings_the_same_letter_again(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    server.behave([Manner::HangUp]);
    write(&t, "one").await;
    t.drain().await;
    assert_eq!(t.mails().await[0].state, MailState::Waiting);
    t.advance(HOUR);
    t.drain().await;
    let letters = server.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        letters[0].header("Message-ID"),
        letters[1].header("Message-ID")
    );
    assert_eq!(t.mails().await[0].state, MailState::Sent);
}

async fn a_server_that_stays_away_is_given_up_and_said_so(stack: Stack) {
    // A server that offers no TLS, where TLS is asked for: nothing is said to it.
    let server = Server::start().await;
    let url = server.url();
    let mut t = TestApp::start_with(stack, &[("mail.url", &url)]).await;
    write(&t, "one").await;
    t.drain().await;
    let waiting = &t.mails().await[0];
    assert_eq!(waiting.state, MailState::Waiting);
    assert!(waiting.last_error.is_some());
    let said = server.said().join("\n");
    assert!(said.contains("EHLO"), "{said}");
    assert!(!said.contains("MAIL") && !said.contains(ADDRESS), "{said}");
    // An error tells nobody whom the letter was for.
    let job = t.jobs("send_mail").await.remove(0);
    let told = job.last_error.unwrap().to_string();
    assert!(!told.contains(ADDRESS) && !told.contains("2027"), "{told}");
    let mut hours = 0;
    while t.mails().await[0].state == MailState::Waiting {
        assert!(hours < 24 * 5, "it is tried for ever");
        t.advance(HOUR + MINUTE);
        t.drain().await;
        hours += 1;
    }
    assert!(hours > 48, "given up after {hours} hours");
    let given_up = &t.mails().await[0];
    assert_eq!(given_up.state, MailState::Failed);
    assert_eq!(
        (&given_up.recipient_sealed, &given_up.content_sealed),
        (&None, &None)
    );
}

async fn without_a_server_letters_are_files(mut t: TestApp) {
    let outbox = tempfile::tempdir().unwrap();
    let directory = outbox.path().join("new/outbox");
    t.app.mail = clipqueue::mail::Mailer::new(
        &clipqueue::mail::Outbox::Directory(directory.clone()),
        "Clipqueue <clipqueue@example.com>",
    )
    .unwrap();
    write(&t, "one").await;
    t.drain().await;
    let row = t.mails().await.remove(0);
    assert_eq!(row.state, MailState::Sent);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let letter = std::fs::read_to_string(directory.join(format!("{}.eml", row.id))).unwrap();
    assert!(letter.contains(&format!("To: {ADDRESS}")), "{letter}");
    assert!(
        letter.contains(&format!("<{}@example.com>", row.id)),
        "{letter}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| {
            let about = std::fs::metadata(path).unwrap();
            about.permissions().mode() & 0o777
        };
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(format!("{}.eml", row.id))), 0o600);
    }

    // It is found, and it goes with the record that it was sent; what is not ours stays.
    assert_eq!(in_letters(&t, ADDRESS).await, 1);
    std::fs::write(directory.join("notes.txt"), "not ours").unwrap();
    std::fs::write(
        directory.join(format!(".{}.part", uuid::Uuid::now_v7())),
        "half",
    )
    .unwrap();
    let due = async || {
        let plan = retention::plan(&t.app, Depth::Rows).await.unwrap();
        let rule = plan.into_iter().find(|due| due.rule.name == "mail_files");
        rule.unwrap().due.count
    };
    assert_eq!(due().await, 1, "what a crash left of a letter");
    t.advance(DAY * 29);
    let early = retention::prune(&t.app).await.unwrap();
    assert_eq!(early.of("mail_files"), 1);
    assert_eq!(in_letters(&t, ADDRESS).await, 1);
    t.advance(DAY * 2);
    let late = retention::prune(&t.app).await.unwrap();
    assert_eq!((late.of("mails"), late.of("mail_files")), (1, 1));
    let left: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notes.txt"]);
}

/// In how many letters of the outbox a text stands.
async fn in_letters(t: &TestApp, text: &str) -> usize {
    let needle = Needle::new([text.to_owned()]).unwrap();
    let found = search::everywhere(&t.app, &needle).await.unwrap();
    let places = found.findings();
    let letters = places
        .iter()
        .filter(|found| found.place.starts_with("mail:"));
    letters.count()
}

async fn files_of_letters_go_with_whom_they_were_about(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[SCOPES]).await;
    let own = t.creator(CREATOR).await;
    let names = t.known_by(own.user_id, None, &[CREATOR, ADDRESS]).await;
    // One about a payment, one about a request, and one of somebody else's request.
    write(&t, "one").await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    t.ask_for_deletion("otto.wanderlust", Some("otto@example.net"))
        .await;
    t.drain().await;
    assert_eq!(in_letters(&t, ADDRESS).await, 2);
    t.write_into_profile(CREATOR, &ticket.proof);
    t.until(&ticket, RequestState::Done).await;
    t.drain().await;

    // What is left is the letter that told of the end, and the receipt says so.
    let code = t.standing(&ticket).await.erasure.unwrap();
    let status = erasure::by_code(&t.app, &code).await.unwrap();
    t.assert_gone(&names, &status).await;
    let (named, _) = t.scan(&names, &status).await;
    let letters: Vec<_> = named
        .iter()
        .filter(|found| found.place.starts_with("mail:"))
        .map(|found| found.identifier.as_str())
        .collect();
    assert_eq!(letters, [ADDRESS]);
    assert_eq!(in_letters(&t, &code).await, 1);
    assert_eq!(in_letters(&t, "otto@example.net").await, 1);
    let rows = status.steps.iter().find(|step| step.step == "delete_rows");
    assert!(rows.unwrap().counts["letter_files"].as_u64().unwrap() >= 2);
    t.advance(DAY * 31);
    retention::prune(&t.app).await.unwrap();
    assert_eq!(in_letters(&t, ADDRESS).await, 0);
}
