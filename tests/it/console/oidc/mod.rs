//! Operators who sign in at a provider of identities: who gets in, as whom, with which role, and every way
//! in which nobody does.

mod tokens;
mod visitor;
mod ways;

use std::{net::SocketAddr, time::Duration};

use clipqueue::{
    domain::{
        actor::{Actor, Scope},
        api_keys, erasure, retention, roles, single_sign_on,
    },
    http::Peer,
};
use clipqueue_entities::{operator::Role, operator_sign_in};
use sea_orm::EntityTrait as _;

use self::visitor::{
    STAFF, Visitor, acts, identities, name_of, operators, refused, sessions, with_provider,
};
use crate::{
    console::{provider::person, request, router, send},
    on_both_stacks,
    support::app::TestApp,
};

on_both_stacks!(
    an_operator_signs_in_without_a_key_and_out,
    each_role_is_what_the_claim_gives,
    a_role_follows_the_claim_and_goes_with_it,
    whom_the_command_line_revoked_stays_revoked,
    a_state_is_good_once_for_its_browser_and_for_ten_minutes,
    two_first_sign_ins_at_once_make_one_operator,
    tries_are_counted_by_address,
    an_operator_who_is_erased_is_nobody_afterwards,
);

async fn an_operator_signs_in_without_a_key_and_out(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let mut ada = Visitor::new(&t);
    let page = ada.get("/ops/sign-in?next=%2Fjobs%3Fstate%3Dheld").await;
    let button = "<a class=\"button main\" id=\"provider\" \
                  href=\"/ops/oidc/start?next=%2Fjobs%3Fstate%3Dheld\">Sign in with Main &#38; Co</a>";
    assert!(page.body.contains(button), "{}", page.body);
    let page = ada.at_provider("?next=%2Fjobs%3Fstate%3Dheld").await;
    assert!(page.starts_with(&format!("{}/authorize?", provider.issuer)));
    assert!(ada.cookie("clipqueue-ops-oidc").is_some());

    let back = provider.sign_in(&page, &person("ada-1", "ada", STAFF));
    let answer = ada.come_back(&back).await;
    assert_eq!(
        answer.header("location"),
        "/ops/oidc/done?next=%2Fjobs%3Fstate%3Dheld"
    );
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("clipqueue-ops="), "{cookie}");
    for word in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/ops",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    // The page after the callback is ours and leads on, for the cookie is not shown on the way from elsewhere.
    let page = ada.get(answer.header("location")).await;
    assert!(
        page.body
            .contains("<meta http-equiv=\"refresh\" content=\"0; url=/ops/jobs?state=held\">"),
        "{}",
        page.body
    );

    let known = identities(&t).await;
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known[0].issuer.as_str(), known[0].subject.as_str()),
        (provider.issuer.as_str(), "ada-1")
    );
    let user = known[0].user_id;
    let name = name_of(&t, user).await;
    assert!(name.starts_with("ada-") && name.len() == 20, "{name}");
    let page = ada.get("/ops").await;
    assert!(page.status == 200 && page.body.contains(&name) && page.body.contains("may look only"));
    let rows = sessions(&t).await;
    assert_eq!(
        (rows.len(), rows[0].key_id, rows[0].user_id),
        (1, None, Some(user))
    );
    // Nobody has a key by that.
    assert!(api_keys::list(&t.app, user).await.unwrap().is_empty());

    let answer = ada.press("/ops/sign-out", "").await;
    assert_eq!(answer.header("location"), "/ops/sign-in?out=1");
    assert!(sessions(&t).await.is_empty());
    assert_eq!(ada.get("/ops").await.status, 303);
    assert_eq!(
        acts(&t).await,
        ["operator.add", "console.sign_in", "console.sign_out"]
    );
    // Discovered once.
    assert_eq!(provider.count("/.well-known/openid-configuration"), 1);
    assert_eq!((provider.count("/keys"), provider.count("/token")), (1, 1));
}

async fn each_role_is_what_the_claim_gives(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    for (name, groups, role) in [
        ("vera", &["other", "staff"][..], Role::Viewer),
        ("otto", &["staff", "on-call"], Role::Operator),
        ("anna", &["root", "staff"], Role::Admin),
    ] {
        let who = person(name, name, groups);
        let mut visitor = Visitor::let_in(&t, &provider, &who).await;
        assert_eq!(visitor.get("/ops/jobs").await.status, 200);
        let allowed = |least: Role| if role >= least { 303 } else { 403 };
        let pause = visitor.press("/ops/queues/uploads/pause", "").await;
        assert_eq!(pause.status, allowed(Role::Operator), "{name}");
        let as_of = t.app.clock.now().as_millis();
        let form = format!(
            "action=retry&state=held&kind=&queue=&lane=&reason=&error=&as_of={as_of}&key={name}"
        );
        let bulk = visitor.press("/ops/bulk", &form).await;
        assert_eq!(bulk.status, allowed(Role::Admin), "{name}: {}", bulk.body);
    }
    for row in operators(&t).await {
        let name = name_of(&t, row.user_id).await;
        let expected = match name.split('-').next().unwrap() {
            "vera" => Role::Viewer,
            "otto" => Role::Operator,
            _ => Role::Admin,
        };
        assert_eq!(row.role, expected, "{name}");
    }
    // Known at the provider, and nobody here.
    for groups in [&[][..], &["other"], &["STAFF"]] {
        let who = person("eve", "eve", groups);
        assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "no_role");
    }
    let mut none = person("eve", "eve", &[]);
    none.as_object_mut().unwrap().remove("groups");
    assert_eq!(Visitor::kept_out(&t, &provider, &none).await, "no_role");
    assert_eq!(operators(&t).await.len(), 3);
    let page = Visitor::new(&t).get("/ops/sign-in?refused=no_role").await;
    assert!(page.body.contains("none of your groups gives a role here"));
    t.drain().await;
}

async fn a_role_follows_the_claim_and_goes_with_it(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = |groups: &[&str]| person("ada-1", "ada", groups);
    let mut first = Visitor::let_in(&t, &provider, &who(&["root"])).await;
    let user = identities(&t).await[0].user_id;
    let key = api_keys::create(&t.app, user, "script", &roles::SCOPES, None).await;
    let key = api_keys::expose(&key.unwrap()).to_owned();
    assert_eq!(
        first.press("/ops/queues/uploads/pause", "").await.status,
        303
    );

    // Lowered: what is open already is bounded at once, keys too.
    let mut second = Visitor::let_in(&t, &provider, &who(STAFF)).await;
    for visitor in [&mut first, &mut second] {
        assert_eq!(visitor.get("/ops").await.status, 200);
        let pause = visitor.press("/ops/queues/uploads/pause", "").await;
        assert_eq!(pause.status, 403);
    }
    let actor = api_keys::authenticate(&t.app, &key).await.unwrap().unwrap();
    assert_eq!(actor.scopes, [Scope::OpsRead]);

    // Gone: refused, and whatever is open ends.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    assert!(sessions(&t).await.is_empty());
    for visitor in [&mut first, &mut second] {
        assert_eq!(visitor.get("/ops").await.header("location"), "/ops/sign-in");
    }
    let actor = api_keys::authenticate(&t.app, &key).await.unwrap().unwrap();
    assert!(actor.scopes.is_empty(), "{:?}", actor.scopes);
    let listed = roles::list(&t.app).await.unwrap();
    assert_eq!(listed[0].standing(), "lapsed");
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");

    // Given again: the same operator, whom nobody needs to make anew.
    let mut third = Visitor::let_in(&t, &provider, &who(&["on-call"])).await;
    assert_eq!(
        third.press("/ops/queues/uploads/resume", "").await.status,
        303
    );
    assert_eq!(
        first.get("/ops").await.status,
        303,
        "an old session is over"
    );
    let known = identities(&t).await;
    assert_eq!((known.len(), known[0].user_id), (1, user));
    let acts = acts(&t).await;
    let of_roles: Vec<_> = acts
        .iter()
        .filter(|act| act.starts_with("operator."))
        .collect();
    assert_eq!(
        of_roles,
        [
            "operator.add",
            "operator.role",
            "operator.lapse",
            "operator.role"
        ]
    );
}

async fn whom_the_command_line_revoked_stays_revoked(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = |groups: &[&str]| person("ada-1", "ada", groups);
    let mut open = Visitor::let_in(&t, &provider, &who(STAFF)).await;
    let user = identities(&t).await[0].user_id;
    let name = name_of(&t, user).await;
    roles::revoke(&t.app, &name).await.unwrap();
    assert!(sessions(&t).await.is_empty());
    assert_eq!(open.get("/ops").await.status, 303);
    for groups in [STAFF, &["root"]] {
        assert_eq!(
            Visitor::kept_out(&t, &provider, &who(groups)).await,
            "revoked"
        );
    }
    // Neither does a role that went and came back help.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    assert_eq!(
        Visitor::kept_out(&t, &provider, &who(STAFF)).await,
        "revoked"
    );
    assert_eq!(roles::list(&t.app).await.unwrap()[0].standing(), "revoked");

    let role = roles::restore(&t.app, &name).await.unwrap();
    assert_eq!(role, Role::Viewer);
    assert_eq!(open.get("/ops").await.status, 303, "an old session is over");
    Visitor::let_in(&t, &provider, &who(&["on-call"])).await;
    assert_eq!(operators(&t).await[0].role, Role::Operator);
    assert!(
        roles::restore(&t.app, &name).await.is_err(),
        "nothing to take back"
    );

    // Revoked while the provider gives no role: then it is no longer the provider's to take back.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    roles::revoke(&t.app, &name).await.unwrap();
    assert_eq!(
        Visitor::kept_out(&t, &provider, &who(STAFF)).await,
        "revoked"
    );
    assert!(roles::revoke(&t.app, &name).await.is_err());
    let key = roles::add(&t.app, &name, Role::Admin).await.unwrap();
    assert!(api_keys::expose(&key).starts_with("cq_"));
    // The provider's word counts again at the next sign-in.
    Visitor::let_in(&t, &provider, &who(STAFF)).await;
    assert_eq!(operators(&t).await[0].role, Role::Viewer);
}

async fn a_state_is_good_once_for_its_browser_and_for_ten_minutes(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    // A link that somebody made for themselves signs nobody else in.
    let mut mallory = Visitor::new(&t);
    let mut victim = Visitor::new(&t);
    for victim_has_begun in [false, true] {
        if victim_has_begun {
            victim.at_provider("").await;
        }
        let page = mallory.at_provider("").await;
        let back = provider.sign_in(&page, &person("mallory", "mallory", STAFF));
        assert_eq!(refused(&victim.come_back(&back).await), "other_browser");
        // And the wrong browser burns it.
        assert_eq!(refused(&mallory.come_back(&back).await), "used");
    }

    let mut ada = Visitor::new(&t);
    let page = ada.at_provider("").await;
    let back = provider.sign_in(&page, &who);
    ada.come_back(&back).await;
    assert_eq!(refused(&ada.come_back(&back).await), "used");
    assert_eq!(sessions(&t).await.len(), 1);

    // Late, and in time.
    for (wait, word) in [(600, Some("expired")), (599, None)] {
        let mut late = Visitor::new(&t);
        let page = late.at_provider("").await;
        t.advance(Duration::from_secs(wait));
        let answer = late.come_back(&provider.sign_in(&page, &who)).await;
        match word {
            Some(word) => assert_eq!(refused(&answer), word),
            None => assert_eq!(answer.header("location"), "/ops/oidc/done"),
        }
    }
    // Of another make.
    let mut forger = Visitor::new(&t);
    let page = forger.at_provider("").await;
    let back = provider.sign_in(&page, &who);
    let code = back.query_pairs().find(|(key, _)| key == "code").unwrap().1;
    for (query, word) in [
        (format!("code={code}&state=forged"), "unknown"),
        (format!("code={code}"), "malformed"),
        ("state=x".to_owned(), "malformed"),
        (String::new(), "malformed"),
    ] {
        let answer = forger.get(&format!("/ops/oidc/callback?{query}")).await;
        assert_eq!(refused(&answer), word, "{query}");
    }
    // What nobody comes back for is pruned.
    t.advance(Duration::from_secs(2 * 86_400));
    let pruned = retention::prune(&t.app).await.unwrap();
    assert!(pruned.of("operator_sign_ins") >= 5);
    let left = operator_sign_in::Entity::find().all(t.app.db.read()).await;
    assert!(left.unwrap().is_empty());
}

async fn two_first_sign_ins_at_once_make_one_operator(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut visitors = Vec::new();
    for _ in 0..4 {
        let mut visitor = Visitor::new(&t);
        let page = visitor.at_provider("").await;
        visitors.push((visitor, provider.sign_in(&page, &who)));
    }
    let coming = visitors
        .iter_mut()
        .map(|(visitor, back)| visitor.come_back(back));
    for answer in futures::future::join_all(coming).await {
        assert_eq!(answer.header("location"), "/ops/oidc/done");
    }
    assert_eq!(
        (operators(&t).await.len(), sessions(&t).await.len()),
        (1, 4)
    );
}

async fn tries_are_counted_by_address(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let router = router(&t);
    for path in ["/ops/oidc/start", "/ops/oidc/callback?code=x&state=y"] {
        let ask = |address: &'static str| {
            let mut request = request("GET", path, &[], "");
            let peer: SocketAddr = address.parse().unwrap();
            request.extensions_mut().insert(Peer(peer));
            send(&router, request)
        };
        for _ in 0..single_sign_on::TRIES {
            let answer = ask("192.0.2.1:999").await;
            assert_ne!(answer.header("location"), "/ops/sign-in?refused=too_often");
            assert_eq!(answer.status, 303);
        }
        let answer = ask("192.0.2.1:1000").await;
        match path {
            "/ops/oidc/start" => {
                assert_eq!(answer.status, 429);
                assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 61);
                assert!(answer.body.contains("Too many tries"));
            }
            // Where the code is, no page is shown.
            _ => assert_eq!(refused(&answer), "too_often"),
        }
        // Others are not locked out with them, and nobody for long.
        assert_eq!(ask("192.0.2.2:999").await.status, 303);
        t.advance(Duration::from_secs(61));
        let answer = ask("192.0.2.1:999").await;
        assert_ne!(answer.header("location"), "/ops/sign-in?refused=too_often");
    }
    assert_eq!(provider.count("/token"), 0);
}

async fn an_operator_who_is_erased_is_nobody_afterwards(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut ada = Visitor::let_in(&t, &provider, &who).await;
    let id = identities(&t).await[0].user_id;
    let actor = single_sign_on::still(&t.app, id).await.unwrap().unwrap();
    let leaving = Actor {
        scopes: vec![Scope::AccountDelete],
        ..actor.clone()
    };
    erasure::delete_user(&t.app, &leaving, &actor.user_name, "leave")
        .await
        .unwrap();
    assert_eq!(ada.get("/ops").await.status, 303);
    assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "leaving");
    t.drain().await;
    assert!(identities(&t).await.is_empty() && operators(&t).await.is_empty());
    // Whoever comes again is somebody new.
    Visitor::let_in(&t, &provider, &who).await;
    assert_ne!(identities(&t).await[0].user_id, id);
}
