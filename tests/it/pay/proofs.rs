//! Proofs of ownership: the code in the profile's text, an operator's look; and the erasure that follows.

use clipqueue::domain::{
    actor::Scope,
    audit::{self, AuditFilter},
    connect,
    deletions::{
        judge::{self, Found},
        prove,
    },
    erasure,
    error::{Code, Error},
};
use clipqueue_entities::{
    account, api_key,
    deletion_request::{ProofKind, RequestState},
    erasure::{ErasureCause, ErasureScope},
    user,
};
use sea_orm::EntityTrait as _;
use tiktok_sim::{AccountPatch, Consent, Endpoint};

use super::{
    ADDRESS, CREATOR,
    smtp::{Received, Server},
    with_mail,
};
use crate::support::{
    app::{Stack, TestApp},
    flows::{HOUR, MINUTE, codes},
};

crate::on_both_stacks_by_hand!(
    a_code_in_the_profile_deletes_everything_and_tells,
    a_code_elsewhere_proves_nothing,
    an_account_among_others_goes_alone,
    without_the_scope_an_operator_looks,
    an_operator_may_refuse,
    a_request_is_proved_once,
    a_name_that_leaves_another_way_is_forgotten,
);

/// With the scope that shows a profile's name and text.
pub(super) const SCOPES: (&str, &str) = (
    "tiktok.scopes",
    "user.info.basic,user.info.profile,video.list,video.upload,video.publish",
);

impl TestApp {
    /// A creator with keys of a front end and no other account.
    pub(super) async fn creator(&mut self, username: &str) -> account::Model {
        let (actor, _) = TestApp::user(&self.app, username, &Scope::CREATOR).await;
        self.actor = actor;
        self.connect(username).await
    }

    pub(super) fn write_into_profile(&self, username: &str, bio: &str) {
        let patch = AccountPatch {
            bio: Some(format!("Tilting at windmills. {bio}")),
            ..AccountPatch::default()
        };
        self.sim.account(username, patch);
    }

    /// Lets time pass until the request is in `state`.
    pub(super) async fn until(
        &mut self,
        ticket: &clipqueue::domain::deletions::Ticket,
        state: RequestState,
    ) {
        for _ in 0..120 {
            self.drain().await;
            if self.standing(ticket).await.row.state == state {
                return;
            }
            self.advance(MINUTE * 11);
        }
        panic!("{:?}", self.standing(ticket).await.row);
    }
}

async fn a_code_in_the_profile_deletes_everything_and_tells(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    let own = t.creator(CREATOR).await;
    assert_eq!(own.username.as_deref(), Some(CREATOR));
    let names = t.known_by(own.user_id, None, &[CREATOR, ADDRESS]).await;
    let ticket = t.ask_for_deletion("@Zelda.Quixote", Some(ADDRESS)).await;
    t.drain().await;
    assert_eq!(t.calls(Endpoint::UserInfo).len(), 1, "the consent's own");
    t.advance(MINUTE * 11);
    t.drain().await;
    assert_eq!(t.calls(Endpoint::UserInfo).len(), 2);
    let row = t.standing(&ticket).await.row;
    assert_eq!(
        (row.state, row.looked_at),
        (RequestState::Open, Some(t.clock.now()))
    );

    t.write_into_profile(CREATOR, &ticket.proof);
    t.until(&ticket, RequestState::Done).await;
    let standing = t.standing(&ticket).await;
    let row = &standing.row;
    assert_eq!(row.proof, Some(ProofKind::Bio));
    assert_eq!(
        (&row.details_sealed, &row.email_sealed, &row.name_hash),
        (&None, &None, &None)
    );
    let code = standing.erasure.unwrap();
    let status = erasure::by_code(&t.app, &code).await.unwrap();
    assert!(status.is_complete && status.of_user);
    t.drain().await;
    t.assert_gone(&names, &status).await;
    let found = user::Entity::find_by_id(own.user_id);
    assert!(found.one(t.app.db.read()).await.unwrap().is_none());
    assert!(!t.sim.is_connected(CREATOR));
    let receipt = status.receipt.as_ref().unwrap().to_string();
    assert!(
        receipt.contains("the address that was given for answers"),
        "{receipt}"
    );
    let letters = server.letters();
    let about = |subject: &str| {
        let found = letters
            .iter()
            .find(|letter| letter.header("Subject") == subject);
        found
            .unwrap_or_else(|| panic!("no letter is about {subject}"))
            .says()
    };
    assert_eq!(letters.len(), 3);
    let first = about("Your request to delete your data: please prove it");
    assert!(first.contains(&ticket.proof), "{first}");
    about("Your data is being deleted");
    let last = about("Your data is deleted");
    assert!(last.contains(&code), "{last}");
    // Nobody looks any more.
    let looks = t.calls(Endpoint::UserInfo).len();
    t.advance(HOUR * 24);
    t.drain().await;
    assert_eq!(t.calls(Endpoint::UserInfo).len(), looks);
}

async fn a_code_elsewhere_proves_nothing(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    t.creator(CREATOR).await;
    t.creator("otto.wanderlust").await;
    let mine = t.ask_for_deletion(CREATOR, None).await;
    let others = t.ask_for_deletion("otto.wanderlust", None).await;
    t.write_into_profile(CREATOR, &others.proof);
    t.write_into_profile("otto.wanderlust", &mine.proof);
    for _ in 0..3 {
        t.advance(MINUTE * 11);
        t.drain().await;
    }
    for ticket in [&mine, &others] {
        assert_eq!(t.standing(ticket).await.row.state, RequestState::Open);
    }
    // A look that TikTok does not answer is taken again.
    t.fault(
        Endpoint::UserInfo,
        tiktok_sim::FaultKind::Status { status: 503 },
    );
    t.write_into_profile(CREATOR, &mine.proof);
    t.until(&mine, RequestState::Done).await;
    assert_eq!(t.standing(&others).await.row.state, RequestState::Open);
}

async fn an_account_among_others_goes_alone(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    let own = t.creator(CREATOR).await;
    let other = t.connect("otto.wanderlust").await;
    assert_eq!(own.user_id, other.user_id);
    let ticket = t.ask_for_deletion(CREATOR, None).await;
    t.write_into_profile(CREATOR, &ticket.proof);
    t.until(&ticket, RequestState::Done).await;
    assert!(!t.sim.is_connected(CREATOR) && t.sim.is_connected("otto.wanderlust"));
    let left = account::Entity::find().all(t.app.db.read()).await.unwrap();
    assert_eq!(
        left.iter().map(|row| row.id).collect::<Vec<_>>(),
        [other.id]
    );
    let keys = api_key::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(
        keys.iter()
            .any(|key| key.user_id == own.user_id && key.revoked_at.is_none())
    );
}

async fn without_the_scope_an_operator_looks(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[]).await;
    let (actor, _) = TestApp::user(&t.app, "zelda", &Scope::CREATOR).await;
    let operator = t.actor.clone();
    t.actor = actor;
    let own = t.connect_with(CREATOR, &Consent::All).await.unwrap();
    assert_eq!(own.username, None, "the scope was not asked for");
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    t.write_into_profile(CREATOR, &ticket.proof);
    let asked = t.calls(Endpoint::UserInfo).len();
    t.advance(HOUR);
    t.drain().await;
    assert_eq!(
        t.calls(Endpoint::UserInfo).len(),
        asked,
        "nothing can be read"
    );
    assert_eq!(t.standing(&ticket).await.row.state, RequestState::Open);

    let found = |name: &str| Found {
        user_name: name.to_owned(),
        account: None,
    };
    for (whom, reason, code) in [
        ("zelda", " ", Code::Required),
        ("nobody", "a passport", Code::NotFound),
    ] {
        let refused =
            judge::approve(&t.app, Some(&operator), ticket.id, &found(whom), reason).await;
        assert_eq!(codes(refused), [code]);
    }
    let theirs = found("zelda");
    let approved = judge::approve(
        &t.app,
        Some(&operator),
        ticket.id,
        &theirs,
        "a video call with the profile on the screen",
    );
    let (seen, id) = approved.await.unwrap();
    assert_eq!(seen.row.proof, Some(ProofKind::Operator));
    let row = erasure::get(&t.app, id).await.unwrap();
    assert_eq!(
        (row.cause, row.scope),
        (ErasureCause::Request, ErasureScope::User)
    );
    let filter = AuditFilter {
        action: Some("deletion.approve".to_owned()),
        ..AuditFilter::default()
    };
    let acts = audit::list(&t.app, &filter, None, false, 10).await.unwrap();
    assert_eq!(acts.len(), 3, "refusals are acts, too");
    t.until(&ticket, RequestState::Done).await;
    let status = t.standing(&ticket).await.erasure.unwrap();
    let status = erasure::by_code(&t.app, &status).await.unwrap();
    t.assert_gone(&[own.user_id.to_string(), own.open_id.clone()], &status)
        .await;
}

async fn an_operator_may_refuse(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    t.creator(CREATOR).await;
    let ticket = t.ask_for_deletion(CREATOR, Some(ADDRESS)).await;
    let seen = judge::get(&t.app, ticket.id).await.unwrap();
    let candidates = judge::candidates(&t.app, &seen).await.unwrap();
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].user_name, CREATOR);
    let refused = judge::refuse(&t.app, None, ticket.id, "the profile says no")
        .await
        .unwrap();
    assert_eq!(refused.row.state, RequestState::Refused);
    assert!(refused.details.is_none() && !refused.has_email);
    let again = judge::refuse(&t.app, None, ticket.id, "once more").await;
    assert_eq!(codes(again), [Code::WrongState]);
    // What comes too late proves nothing, and nobody looks.
    t.write_into_profile(CREATOR, &ticket.proof);
    let asked = t.calls(Endpoint::UserInfo).len();
    t.advance(HOUR);
    t.drain().await;
    assert_eq!(t.calls(Endpoint::UserInfo).len(), asked);
    assert!(t.sim.is_connected(CREATOR));
    let letters = server.letters();
    let is_refusal = |letter: &&Received| letter.header("Subject").ends_with("was refused");
    let last = letters.iter().find(is_refusal).unwrap();
    assert_eq!(
        last.header("Subject"),
        "Your request to delete your data was refused"
    );
    assert!(last.says().contains("/privacy/delete"));
    let found = Found {
        user_name: CREATOR.to_owned(),
        account: None,
    };
    let late = judge::approve(&t.app, None, ticket.id, &found, "changed my mind").await;
    assert_eq!(codes(late), [Code::WrongState]);
}

async fn a_request_is_proved_once(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    let own = t.creator(CREATOR).await;
    let first = t.ask_for_deletion(CREATOR, None).await;
    let second = t.ask_for_deletion(CREATOR, None).await;
    let row = t.standing(&first).await.row;
    let begun = prove::by_account(&t.app, &row, &own, ProofKind::Bio)
        .await
        .unwrap();
    let again = prove::by_account(&t.app, &row, &own, ProofKind::Tiktok).await;
    assert_eq!(codes(again), [Code::WrongState]);
    // Another request for the same joins the erasure that runs.
    let row = t.standing(&second).await.row;
    let joined = prove::by_account(&t.app, &row, &own, ProofKind::Bio)
        .await
        .unwrap();
    assert_eq!(joined, begun);
    for ticket in [&first, &second] {
        t.until(ticket, RequestState::Done).await;
    }
    let late = t.ask_for_deletion(CREATOR, None).await;
    let row = t.standing(&late).await.row;
    let gone = prove::by_account(&t.app, &row, &own, ProofKind::Bio).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    // Who comes back is somebody new, and an old request is not about them.
    let (actor, _) = TestApp::user(&t.app, "new", &Scope::CREATOR).await;
    let page = connect::begin(&t.app, &actor, None).await.unwrap();
    let back = t
        .sim
        .consent(page.url.as_str(), CREATOR, &Consent::All)
        .unwrap();
    let back = back.split_once('?').unwrap().1.to_owned();
    let connected = connect::finish(&t.app, &back).await.unwrap().account;
    assert_ne!(connected.id, own.id);
    assert_eq!(t.standing(&first).await.row.state, RequestState::Done);
}

async fn a_name_that_leaves_another_way_is_forgotten(stack: Stack) {
    let server = Server::start().await;
    let mut t = with_mail(stack, &server, &[SCOPES]).await;
    let own = t.creator(CREATOR).await;
    let ticket = t.ask_for_deletion(CREATOR, None).await;
    let other = t.ask_for_deletion("otto.wanderlust", None).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    t.erased(&accepted).await;
    let row = t.standing(&ticket).await.row;
    // To its sender it stands as one for an unknown name does.
    assert_eq!(
        (row.state, row.details_sealed, row.name_hash),
        (RequestState::Open, None, None)
    );
    assert!(t.standing(&other).await.row.details_sealed.is_some());
    t.advance(HOUR);
    t.drain().await;
}
