//! Every kind of fault as a client sees it, and what it left behind.

use std::time::{Duration, Instant};

use serde_json::json;
use tiktok_sim::{Endpoint, Fault, FaultKind, LedgerFilter};

use crate::support::{World, mp4, one_chunk};

/// One raw call, since some answers are no JSON.
async fn raw(world: &World, path: &str, token: &str) -> reqwest::Result<(u16, String)> {
    let body = json!({ "source_info": one_chunk(100) });
    let call = world
        .http
        .post(world.url(path))
        .bearer_auth(token)
        .json(&body);
    let response = call.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

const INBOX: &str = "/v2/post/publish/inbox/video/init/";

#[tokio::test]
async fn a_lost_answer_with_and_without_effect() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let endpoint = Endpoint::InboxInit;
    world
        .sim
        .fault(Fault::once(endpoint, FaultKind::LostBeforeEffect));
    assert!(raw(&world, INBOX, &token).await.is_err());
    assert!(world.sim.inits().is_empty());
    world
        .sim
        .fault(Fault::once(endpoint, FaultKind::LostAfterEffect));
    assert!(raw(&world, INBOX, &token).await.is_err());
    assert_eq!(world.sim.inits().len(), 1);
    assert_eq!(raw(&world, INBOX, &token).await.unwrap().0, 200);

    let filter = LedgerFilter {
        endpoint: Some(endpoint),
        ..LedgerFilter::default()
    };
    let calls = world.sim.ledger(&filter);
    let seen: Vec<(Option<&str>, bool, &str)> = calls
        .iter()
        .map(|call| (call.fault.as_deref(), call.answered, call.code.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("lost_before_effect"), false, "connection_lost"),
            (Some("lost_after_effect"), false, "ok"),
            (None, true, "ok"),
        ]
    );
    world.assert_clean();
}

#[tokio::test]
async fn gateways_before_and_after_the_effect() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let endpoint = Endpoint::InboxInit;
    world
        .sim
        .fault(Fault::once(endpoint, FaultKind::Status { status: 502 }));
    let (status, body) = raw(&world, INBOX, &token).await.unwrap();
    assert_eq!(status, 502);
    assert!(body.starts_with("<html>"));
    assert!(world.sim.inits().is_empty());
    world.sim.fault(Fault::once(
        endpoint,
        FaultKind::StatusAfterEffect { status: 504 },
    ));
    assert_eq!(raw(&world, INBOX, &token).await.unwrap().0, 504);
    assert_eq!(world.sim.inits().len(), 1);
    world
        .sim
        .fault(Fault::once(endpoint, FaultKind::TruncatedJson));
    let (status, body) = raw(&world, INBOX, &token).await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err());
    assert_eq!(world.sim.inits().len(), 2);
}

#[tokio::test]
async fn stalls_hold_the_answer_back() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let endpoint = Endpoint::InboxInit;
    for kind in [
        FaultKind::Stall { ms: 80 },
        FaultKind::StallAfterEffect { ms: 80 },
    ] {
        world.sim.fault(Fault::once(endpoint, kind));
        let start = Instant::now();
        assert_eq!(raw(&world, INBOX, &token).await.unwrap().0, 200);
        assert!(start.elapsed() >= Duration::from_millis(80));
    }
    // Who leaves during a stall before the effect has done nothing.
    world
        .sim
        .fault(Fault::once(endpoint, FaultKind::Stall { ms: 60_000 }));
    let call = raw(&world, INBOX, &token);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), call)
            .await
            .is_err()
    );
    assert_eq!(world.sim.inits().len(), 2);
}

#[tokio::test]
async fn refusals_by_fault_are_nobodys_fault() {
    let world = World::new().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let token = pair["access_token"].as_str().unwrap();
    let endpoint = Endpoint::CreatorInfo;
    world.sim.fault(Fault::once(endpoint, FaultKind::RateLimit));
    assert_eq!(world.creator_info(token).await.status, 429);
    let code = "reached_active_user_cap".to_owned();
    world.sim.fault(Fault::once(
        endpoint,
        FaultKind::ApiCode { code, status: 200 },
    ));
    assert_eq!(
        world.creator_info(token).await.code(),
        "reached_active_user_cap"
    );
    world.sim.fault(Fault::once(endpoint, FaultKind::DeadToken));
    assert_eq!(
        world.creator_info(token).await.code(),
        "access_token_invalid"
    );
    let renewed = world.refresh(pair["refresh_token"].as_str().unwrap()).await;
    let fresh = renewed.body["access_token"].as_str().unwrap();
    assert_eq!(world.creator_info(fresh).await.code(), "ok");
    world.assert_clean();
    world.advance(5);
    assert_eq!(world.creator_info(token).await.status, 401);
    assert!(!world.sim.verify().is_clean(), "the token is dead for good");
}

#[tokio::test]
async fn chunks_are_cut_lost_and_refused() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let size = 2_000_000;
    let opened = world.draft(&token, &one_chunk(size)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    let range = (0, size - 1);
    let cut = FaultKind::CutChunk { after_bytes: None };
    world.sim.fault(Fault::once(Endpoint::Upload, cut));
    assert!(world.try_put(url, mp4(size), range, size).await.is_err());
    world
        .sim
        .fault(Fault::once(Endpoint::Upload, FaultKind::LostBeforeEffect));
    assert!(world.try_put(url, mp4(size), range, size).await.is_err());
    world.sim.fault(Fault::once(
        Endpoint::Upload,
        FaultKind::Status { status: 500 },
    ));
    let put = world.put(url, mp4(size), range, size).await;
    assert_eq!(put.status(), 500);
    assert_eq!(world.sim.uploads()[0].received, 0);
    world
        .sim
        .fault(Fault::once(Endpoint::Upload, FaultKind::LostAfterEffect));
    assert!(world.try_put(url, mp4(size), range, size).await.is_err());
    assert_eq!(world.sim.uploads()[0].received, size as u64);
    assert_eq!(world.put(url, mp4(size), range, size).await.status(), 416);
    let filter = LedgerFilter {
        endpoint: Some(Endpoint::Upload),
        ..LedgerFilter::default()
    };
    let read = world.sim.ledger(&filter)[0].bytes_in;
    assert!((size as u64 / 2..size as u64).contains(&read), "{read}");
    world.assert_clean();
}

#[tokio::test]
async fn faults_choose_their_account_and_their_turn() {
    let world = World::new().await;
    let mia = world.connect("mia").await;
    let ben = world.connect("ben").await;
    let fault = Fault::once(Endpoint::CreatorInfo, FaultKind::RateLimit);
    let id = world
        .sim
        .fault(fault.account("ben").after(1).times(Some(2)));
    let mut seen = Vec::new();
    for token in [&mia, &ben, &mia, &ben, &ben, &ben] {
        seen.push(world.creator_info(token).await.status);
    }
    assert_eq!(seen, [200, 200, 200, 429, 429, 200]);
    assert_eq!(
        (world.sim.faults()[0].seen, world.sim.faults()[0].hits),
        (4, 2)
    );
    assert!(world.sim.clear_faults(Some(id)));
    assert!(!world.sim.clear_faults(None));
}
