//! The history of Clipqueue's schema. It never imports the entities: a migration describes the
//! schema as it was on its day, whatever the entities become.
//!
//! Migrations expand first and contract in a later release, go up and down, and give the same
//! schema on SQLite and PostgreSQL. Instants are 64-bit integers of UTC milliseconds. The caller
//! holds the lock that keeps two processes from migrating at once.

pub use sea_orm_migration::{MigratorTrait, SchemaManager};

mod m20261121_000001_identity;
mod m20261121_000002_media;
mod m20261121_000003_posts;
mod m20261121_000004_queue;
mod m20261124_000010_evidence;
mod m20261124_000020_photos;
mod m20261124_000030_budgets;
mod m20261124_000040_schedules;
mod m20261124_000050_operations;
mod m20261124_000050_queue_drain;
mod m20261124_000060_console;
mod m20261125_000005_posts_by_state;
mod m20261125_000010_metrics;
mod m20261125_000020_erasure;
mod m20261125_000030_outbound;
mod m20261125_000040_workspace;
mod m20261125_000045_plans;
mod m20261125_000050_audit_chain;
mod m20261125_000052_retention;
mod m20261125_000055_exports;
mod m20261125_000060_consents;
mod m20261125_000061_user_sessions;
mod m20261125_000062_operators;
mod m20261125_000065_deletion_requests;
mod m20261125_000066_mails;
mod m20261125_000067_billing;
mod m20261130_000010_quota_told;
mod m20261130_000063_operator_identities;
mod m20261130_000075_payments;

/// Runs the migrations in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_identity::Migration),
            Box::new(m20261121_000002_media::Migration),
            Box::new(m20261121_000003_posts::Migration),
            Box::new(m20261121_000004_queue::Migration),
            Box::new(m20261124_000010_evidence::Migration),
            Box::new(m20261124_000020_photos::Migration),
            Box::new(m20261124_000030_budgets::Migration),
            Box::new(m20261124_000040_schedules::Migration),
            Box::new(m20261124_000050_operations::Migration),
            Box::new(m20261124_000050_queue_drain::Migration),
            Box::new(m20261124_000060_console::Migration),
            Box::new(m20261125_000005_posts_by_state::Migration),
            Box::new(m20261125_000010_metrics::Migration),
            Box::new(m20261125_000020_erasure::Migration),
            Box::new(m20261125_000030_outbound::Migration),
            Box::new(m20261125_000040_workspace::Migration),
            Box::new(m20261125_000045_plans::Migration),
            Box::new(m20261125_000050_audit_chain::Migration),
            Box::new(m20261125_000052_retention::Migration),
            Box::new(m20261125_000055_exports::Migration),
            Box::new(m20261125_000060_consents::Migration),
            Box::new(m20261125_000061_user_sessions::Migration),
            Box::new(m20261125_000062_operators::Migration),
            Box::new(m20261125_000065_deletion_requests::Migration),
            Box::new(m20261125_000066_mails::Migration),
            Box::new(m20261125_000067_billing::Migration),
            Box::new(m20261130_000010_quota_told::Migration),
            Box::new(m20261130_000063_operator_identities::Migration),
            Box::new(m20261130_000075_payments::Migration),
        ]
    }
}
