//! Commands that answer and end.

use serde_json::Value;

use super::{Installation, PATIENCE, get};
use crate::support::eventually;

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let home = Installation::new();
    let made = home
        .run(&["key", "create", "--user", "ada", "--name", "front end"])
        .await;
    assert!(made.err.contains("not shown again"), "{}", made.err);
    // The key and nothing else, so that a script can catch it.
    let key = made.good();
    assert!(key.starts_with("cq_") && key.lines().count() == 1, "{key}");

    let listed = home.run(&["key", "list", "--user", "ada"]).await.good();
    assert!(
        listed.contains("live") && listed.contains("front end"),
        "{listed}"
    );
    assert!(listed.contains("posts:write") && !listed.contains("ops:write"));
    let secret = key.trim().split('_').nth(2).unwrap();
    assert!(!listed.contains(secret));

    let id = listed.split_whitespace().next().unwrap();
    home.run(&["key", "revoke", "--user", "ada", id])
        .await
        .good();
    let listed = home.run(&["key", "list", "--user", "ada"]).await.good();
    assert!(listed.contains("revoked"), "{listed}");

    let operator = home
        .run(&[
            "key",
            "create",
            "--user",
            "op",
            "--operator",
            "--expires-in",
            "90d",
        ])
        .await;
    operator.good();
    let listed = home.run(&["key", "list", "--user", "op"]).await.good();
    assert!(listed.contains("ops:write"), "{listed}");
}

#[tokio::test]
async fn operators_are_made_given_other_roles_and_ended() {
    let home = Installation::new();
    let made = home.run(&["operator", "add", "otto"]).await;
    assert!(made.err.contains("otto is viewer"), "{}", made.err);
    // The key and nothing else, so that a script can catch it.
    let key = made.good();
    assert!(key.starts_with("cq_") && key.lines().count() == 1, "{key}");
    home.run(&["operator", "add", "otto", "--role", "admin"])
        .await
        .refused(&["otto is an operator already"]);
    // A word that is none of the three is a mistake in the command itself.
    let bad = home.run(&["operator", "role", "otto", "king"]).await;
    assert_eq!(bad.status.code(), Some(2));
    assert!(bad.err.contains("viewer, operator or admin"), "{}", bad.err);
    let said = home
        .run(&["operator", "role", "otto", "admin"])
        .await
        .good();
    assert!(said.contains("otto is admin now"), "{said}");
    let listed = home.run(&["operator", "list"]).await.good();
    assert!(listed.contains("admin     otto"), "{listed}");
    home.run(&["operator", "revoke", "otto"]).await.good();
    let listed = home.run(&["operator", "list"]).await.good();
    assert!(listed.contains("revoked   otto"), "{listed}");
    for args in [
        ["operator", "revoke", "otto"],
        ["operator", "revoke", "eve"],
    ] {
        home.run(&args).await.refused(&["is no operator"]);
    }
    let keys = home.run(&["key", "list", "--user", "otto"]).await.good();
    assert!(keys.contains("revoked") && !keys.contains("live"), "{keys}");

    // Taken back, the role is as before; keys are not.
    let said = home.run(&["operator", "restore", "otto"]).await.good();
    assert!(said.contains("otto is admin again"), "{said}");
    let keys = home.run(&["key", "list", "--user", "otto"]).await.good();
    assert!(!keys.contains("live"), "{keys}");
    for name in ["otto", "eve"] {
        home.run(&["operator", "restore", name])
            .await
            .refused(&["is nobody who was ended"]);
    }
}

#[tokio::test]
async fn keys_of_nobody_are_refused_and_nobody_is_made() {
    let home = Installation::new();
    for args in [
        &["key", "list", "--user", "nobody"][..],
        &[
            "key",
            "revoke",
            "--user",
            "nobody",
            "00000000-0000-0000-0000-000000000000",
        ],
        &["key", "list", "--user", "nobody"],
    ] {
        home.run(args).await.refused(&["no user nobody"]);
    }
    home.run(&["key", "create", "--user", "ada"]).await.good();
    home.run(&[
        "key",
        "revoke",
        "--user",
        "ada",
        "00000000-0000-0000-0000-000000000000",
    ])
    .await
    .refused(&["ada has no key", "key list"]);
    home.run(&["key", "create", "--user", " "])
        .await
        .refused(&["name must have"]);
    let bad = home
        .run(&["key", "create", "--user", "ada", "--scopes", "posts:fly"])
        .await;
    assert_eq!(bad.status.code(), Some(2));
    assert!(bad.err.contains("posts:write"), "{}", bad.err);
}

#[tokio::test]
async fn the_schema_is_printed_without_any_configuration() {
    let home = Installation::new().with("http.listen", "nonsense");
    let printed = home.run(&["schema"]).await.good();
    assert!(!printed.contains("nonsense"));
}

#[tokio::test]
async fn config_check_tells_by_its_exit_code() {
    let home = Installation::new();
    let good = home.run(&["config", "check"]).await.good();
    assert!(good.contains("valid"), "{good}");
    let file = home.file(
        "bad.toml",
        "[http]\nlisten = \"here\"\n\n[htpt]\nlisten = 1\n",
    );
    let err = home
        .run(&[
            "--config",
            file.to_str().unwrap(),
            "--set",
            "queue.lese=9s",
            "config",
            "check",
        ])
        .await
        .refused(&[
            "queue.lese",
            "flag --set",
            "did you mean queue.lease?",
            "htpt.listen",
            "bad.toml",
        ]);
    // The environment of the installation wins over the file, so the file's address is not looked at.
    assert!(!err.contains("`here`"), "{err}");
    home.run(&["--config", "missing.toml", "config", "check"])
        .await
        .refused(&["missing.toml", "cannot be read"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_file_that_everybody_reads_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let home = Installation::new();
    let file = home.file("key", &format!("{}\n", "ab".repeat(32)));
    let home = home.with("secrets.master_key_file", file.to_str().unwrap());
    let set =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o644);
    let told = home.run(&["config", "check"]).await.good();
    assert!(
        told.contains("chmod go-rwx") && told.contains("MASTER_KEY_FILE"),
        "{told}"
    );
    assert!(!told.contains("abab"));
    set(0o600);
    let told = home.run(&["config", "check"]).await.good();
    assert!(!told.contains("warning"), "{told}");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    let home = Installation::new().with("database.migrate_on_start", "false");
    let ill = home.run(&["doctor"]).await;
    assert!(ill.out.contains("FAIL  migrations"), "{}", ill.out);
    assert!(ill.out.contains("clipqueue migrate up"), "{}", ill.out);
    ill.refused(&["failed"]);

    home.run(&["migrate", "up"]).await.good();
    home.run(&["key", "create", "--user", "ada"]).await.good();
    let well = home.run(&["doctor"]).await.good();
    for name in [
        "configuration",
        "database",
        "transport",
        "migrations",
        "master_key",
        "media",
        "media can be written, read, listed and deleted",
    ] {
        assert!(well.contains(&format!("ok    {name}")), "{well}");
    }

    let home = home.with("secrets.master_key", "ab".repeat(32));
    let ill = home.run(&["doctor"]).await;
    assert!(ill.out.contains("FAIL  master_key"), "{}", ill.out);
    ill.refused(&["a check failed"]);

    // Nobody listens at port 1.
    let home = home.with("transport.url", "redis://:hidden@127.0.0.1:1/0");
    let ill = home.run(&["doctor"]).await;
    assert!(ill.out.contains("FAIL  transport"), "{}", ill.out);
    assert!(!ill.out.contains("hidden") && !ill.err.contains("hidden"));
    ill.refused(&["failed"]);
}

#[tokio::test]
async fn the_simulator_is_a_process_of_its_own() {
    let home = Installation::new();
    let mut sim = home.start(&["sim", "--listen", "127.0.0.1:0"]);
    let lines = sim.lines.clone();
    let address = eventually(PATIENCE, "the simulator says where it is", async || {
        let lines = lines.lock().unwrap();
        let line = lines.first()?;
        line.rsplit_once("http://")?.1.trim().parse().ok()
    })
    .await;
    assert_eq!(get(address, "/_sim/health").await.unwrap().0, 200);
    sim.signal("TERM");
    assert_eq!(sim.ended().await, Some(0));
}

#[tokio::test]
async fn a_container_can_ask_for_its_health() {
    let home = Installation::new();
    home.run(&["healthcheck"])
        .await
        .refused(&["asking 127.0.0.1:0"]);
    let server = home.serve().await;
    let home = home.with("http.listen", server.public().await.to_string());
    let told = home.run(&["healthcheck"]).await.good();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["ready"], true);
    assert_eq!(home.run(&["healthcheck", "--live"]).await.good(), "alive\n");
}
