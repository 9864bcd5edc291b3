//! A backup from before the deletion is restored: the tombstones, which lie elsewhere, erase again.

use clipqueue::{
    clock::Clock,
    db::sqlite_path,
    domain::{api_keys, erasure},
    service::{self, Role},
};
use clipqueue_entities::post;
use sea_orm::{ConnectionTrait as _, Database, EntityTrait as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{CAPTION, CREATOR, receipt};
use crate::support::{
    app::{Stack, TestApp},
    flows::DAY,
};

crate::on_both_stacks_by_hand!(
    a_restored_backup_is_erased_again,
    tombstones_travel_in_a_file_too,
    a_second_receipt_says_what_the_first_knew,
);

/// Copies the database as it is; gives the address of the copy.
async fn back_up(t: &mut TestApp) -> String {
    let url = t.app.config.database.url.expose_secret().to_owned();
    if let Some(path) = sqlite_path(&url) {
        let copy = format!("{path}.backup");
        let sql = format!("VACUUM INTO '{copy}'");
        t.app.db.write().execute_unprepared(&sql).await.unwrap();
        return format!("sqlite:{copy}");
    }
    // PostgreSQL copies a database that nobody uses.
    t.app.db.close().await.unwrap();
    let (server, name) = url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    let copy = format!("{name}_backup");
    let admin = Database::connect(format!("{server}/postgres"))
        .await
        .unwrap();
    let sql =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    admin.execute_unprepared(&sql).await.unwrap();
    let sql = format!("CREATE DATABASE \"{copy}\" TEMPLATE \"{name}\"");
    admin.execute_unprepared(&sql).await.unwrap();
    open(t, &url).await;
    url.replace(&format!("/{name}"), &format!("/{copy}"))
}

/// Goes on with the database at `url`, as after a restart.
async fn open(t: &mut TestApp, url: &str) {
    let mut config = (*t.app.config).clone();
    config.database.url = SecretString::from(url.to_owned());
    let clock = Clock::Manual(t.clock.clone());
    t.app = service::prepare(&config, &Role::everything(), clock)
        .await
        .unwrap();
}

async fn a_restored_backup_is_erased_again(stack: Stack) {
    let mut t = TestApp::start(stack).await;
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    let identifiers = t.known_by(t.actor.user_id, None, &[CAPTION]).await;
    let backup = back_up(&mut t).await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
    let revoked = t.calls(tiktok_sim::Endpoint::OauthRevoke).len();

    open(&mut t, &backup).await;
    let back = post::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(!back.is_empty(), "the backup brought everything back");
    assert!(
        api_keys::authenticate(&t.app, &t.key)
            .await
            .unwrap()
            .is_ok()
    );
    let replayed = erasure::replay(&t.app, Vec::new()).await.unwrap();
    assert_eq!((replayed.erasures, replayed.begun), (1, 1));
    assert!(
        api_keys::authenticate(&t.app, &t.key)
            .await
            .unwrap()
            .is_err()
    );
    // The same code leads to the new receipt.
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
    assert_eq!(t.calls(tiktok_sim::Endpoint::OauthRevoke).len(), revoked);
    let again = erasure::replay(&t.app, Vec::new()).await.unwrap();
    assert_eq!((again.erasures, again.begun), (1, 0));
}

async fn tombstones_travel_in_a_file_too(stack: Stack) {
    let mut t = TestApp::start(stack).await;
    let own = t.connect(CREATOR).await;
    let identifiers = t.known_by(t.actor.user_id, Some(own.id), &[]).await;
    let backup = back_up(&mut t).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "bye")
        .await
        .unwrap();
    t.erased(&accepted).await;
    let exported = erasure::export(&t.app).await.unwrap();
    let text = serde_json::to_string(&exported).unwrap();
    assert!(!text.contains(&own.open_id) && !text.contains(&own.id.to_string()));
    // The storage was lost as well.
    let storage = t.app.media.storage();
    let name = accepted.erasure.id.to_string();
    for kind in ["tombstones", "receipts"] {
        storage.drop_kept(kind, &name).await.unwrap();
    }
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    open(&mut t, &backup).await;
    let nothing = erasure::replay(&t.app, Vec::new()).await.unwrap();
    assert_eq!(nothing.begun, 0);
    let replayed = erasure::replay(&t.app, exported).await.unwrap();
    assert_eq!(replayed.begun, 1);
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
}

async fn a_second_receipt_says_what_the_first_knew(stack: Stack) {
    let mut t = TestApp::start(stack).await;
    let own = t.connect(CREATOR).await;
    let backup = back_up(&mut t).await;
    // The backup knows nothing of these.
    t.busy_account(&own).await;
    let identifiers = t.known_by(t.actor.user_id, None, &[CAPTION]).await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let first = t.erased(&accepted).await;
    let handed = receipt(&first)["handed_to_tiktok_before"].clone();
    assert_eq!(handed.as_array().unwrap().len(), 2, "{handed}");

    open(&mut t, &backup).await;
    let replayed = erasure::replay(&t.app, Vec::new()).await.unwrap();
    assert_eq!(replayed.begun, 1);
    let second = t.erased(&accepted).await;
    assert_eq!(receipt(&second)["cause"], "replay");
    assert_eq!(receipt(&second)["handed_to_tiktok_before"], handed);
    let before = &receipt(&second)["done_before"];
    assert_eq!(before["steps"], receipt(&first)["steps"]);
    assert_eq!(before["completed_at"], receipt(&first)["completed_at"]);
    t.assert_gone(&identifiers, &second).await;
    // The first is kept as it was signed.
    let name = format!("{}.1", accepted.erasure.id);
    let storage = t.app.media.storage();
    let kept = storage.kept("receipts", &name).await.unwrap().unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(Some(&kept), first.receipt.as_ref());
    let keys = erasure::public_keys(&t.app).await.unwrap();
    erasure::receipt::verify(&kept, &keys).unwrap();
    // Both go together.
    t.advance(t.app.config.erasure.keep + DAY);
    assert_eq!(erasure::prune(&t.app).await.unwrap(), 1);
    assert_eq!(storage.kept("receipts", &name).await.unwrap(), None);
}
