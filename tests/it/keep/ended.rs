//! Deliveries of webhooks, imports and exports go some time after their end, and not before it.

use clipqueue::domain::{
    retention,
    webhooks::{self, NewEndpoint},
};
use clipqueue_entities::{
    DataExportId, MediaImportId, Timestamp, VerifiedSourceId, WebhookDeliveryId, data_export,
    media_import, webhook_attempt, webhook_delivery,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _,
};

use super::rules::due;
use crate::support::{app::TestApp, flows::DAY};

crate::on_both_stacks!(deliveries_and_imports_go_after_their_end);

async fn deliveries_and_imports_go_after_their_end(t: TestApp) {
    let db = t.app.db.write();
    let now = t.clock.now();
    let new = NewEndpoint {
        url: "https://hooks.example.com/".to_owned(),
        description: None,
        kinds: Vec::new(),
    };
    let (endpoint, _) = webhooks::create(&t.app, &t.actor, new, "hook")
        .await
        .unwrap();
    let delivered = webhook_delivery::DeliveryState::Delivered;
    let pending = webhook_delivery::DeliveryState::Pending;
    for (state, ended_at, next_at) in [
        (delivered, Some(now - DAY * 31), None),
        (delivered, Some(now - DAY * 29), None),
        (pending, None, Some(now + DAY)),
    ] {
        let id = WebhookDeliveryId::new();
        webhook_delivery::ActiveModel {
            id: Set(id),
            endpoint_id: Set(endpoint.id),
            user_id: Set(t.actor.user_id),
            account_id: Set(None),
            seq: Set(None),
            kind: Set("test".to_owned()),
            body: Set("{}".to_owned()),
            state: Set(state),
            attempts: Set(1),
            tries: Set(1),
            next_at: Set(next_at),
            last_status: Set(None),
            last_error: Set(None),
            created_at: Set(now - DAY * 40),
            ended_at: Set(ended_at),
        }
        .insert(db)
        .await
        .unwrap();
        webhook_attempt::ActiveModel {
            delivery_id: Set(id),
            number: Set(1),
            status: Set(Some(200)),
            error: Set(None),
            took_ms: Set(1),
            created_at: Set(now - DAY * 31),
        }
        .insert(db)
        .await
        .unwrap();
    }
    for ended_at in [Some(now - DAY * 31), Some(now - DAY * 29), None] {
        import(&t, ended_at).await;
    }
    for ended_at in [now - DAY * 31, now - DAY * 29] {
        data_export::ActiveModel {
            id: Set(DataExportId::new()),
            user_id: Set(t.actor.user_id),
            state: Set(data_export::ExportState::Expired),
            object: Set(None),
            size: Set(None),
            sha256: Set(None),
            failure_message: Set(None),
            requested_at: Set(now - DAY * 40),
            ready_at: Set(None),
            expires_at: Set(None),
            ended_at: Set(Some(ended_at)),
        }
        .insert(db)
        .await
        .unwrap();
    }
    let rules = ["webhook_deliveries", "imports", "export_records"];
    for rule in rules {
        assert_eq!(due(&t, rule).await.count, 1, "{rule}");
    }
    let pruned = retention::prune(&t.app).await.unwrap();
    for rule in rules {
        assert_eq!(pruned.of(rule), 1, "{rule}");
    }
    assert_eq!(webhook_delivery::Entity::find().count(db).await.unwrap(), 2);
    assert_eq!(
        webhook_attempt::Entity::find().count(db).await.unwrap(),
        2,
        "their tries go along"
    );
    assert_eq!(media_import::Entity::find().count(db).await.unwrap(), 2);
    let waiting = webhook_delivery::Entity::find()
        .filter(webhook_delivery::Column::State.eq(pending))
        .count(db)
        .await
        .unwrap();
    assert_eq!(waiting, 1);
}

async fn import(t: &TestApp, ended_at: Option<Timestamp>) {
    let state = match ended_at {
        Some(_) => media_import::ImportState::Failed,
        None => media_import::ImportState::Fetching,
    };
    media_import::ActiveModel {
        id: Set(MediaImportId::new()),
        user_id: Set(t.actor.user_id),
        source_id: Set(VerifiedSourceId::new()),
        url: Set(None),
        shown_url: Set("https://media.example.com/".to_owned()),
        filename: Set(None),
        media_id: Set(None),
        state: Set(state),
        mark: Set(None),
        restarts: Set(0),
        failure_code: Set(None),
        failure_message: Set(None),
        created_at: Set(t.clock.now() - DAY * 40),
        updated_at: Set(t.clock.now()),
        ended_at: Set(ended_at),
    }
    .insert(t.app.db.write())
    .await
    .unwrap();
}
