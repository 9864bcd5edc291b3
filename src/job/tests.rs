//! Every kind comes back from its row, and every queue has its canary.

use super::*;

fn one_of_each() -> Vec<Job> {
    let (post_id, account_id) = (PostId::new(), AccountId::new());
    vec![
        Job::ApplyNotice {
            notice_id: NoticeId::new(),
            account_id: Some(account_id),
        },
        Job::AuditDrift {},
        Job::BulkAct {
            bulk_act_id: BulkActId::new(),
        },
        Job::Canary {
            queue: UPLOADS.to_owned(),
        },
        Job::CheckSource {
            source_id: VerifiedSourceId::new(),
            user_id: UserId::new(),
        },
        Job::DeliverWebhook {
            delivery_id: WebhookDeliveryId::new(),
            endpoint_id: WebhookEndpointId::new(),
        },
        Job::Erase {
            erasure_id: ErasureId::new(),
        },
        Job::ExpireUploads {},
        Job::ExportData {
            export_id: DataExportId::new(),
            user_id: UserId::new(),
        },
        Job::FollowEvents {
            user_id: UserId::new(),
        },
        Job::ImportMedia {
            import_id: MediaImportId::new(),
            user_id: UserId::new(),
        },
        Job::LookAtProfile {
            request_id: DeletionRequestId::new(),
        },
        Job::PlanMetrics {},
        Job::PollPost {
            post_id,
            account_id,
        },
        Job::Prune {},
        Job::RefreshDueTokens {},
        Job::RefreshMetrics { account_id },
        Job::RefreshToken { account_id },
        Job::RollUpMetrics {},
        Job::SendMail {
            mail_id: MailId::new(),
        },
        Job::SweepOutbound {},
        Job::SweepPosts {},
        Job::SweepTerms {},
        Job::UploadPost {
            post_id,
            account_id,
        },
    ]
}

#[test]
fn every_kind_survives_its_row() {
    for job in one_of_each() {
        let row = job.to_new(Timestamp::from_millis(5));
        assert_eq!(Job::read(&row.kind, row.args).unwrap(), job);
        assert!(Jobs::QUEUES.contains(&row.queue.as_str()));
    }
    let kinds: Vec<&str> = one_of_each().iter().map(Job::kind).collect();
    assert_eq!(kinds, Job::KINDS);
}

#[test]
fn every_queue_has_its_canary() {
    let crons = crons();
    for queue in Jobs::QUEUES {
        let name = format!("canary_{queue}");
        let cron = crons.iter().find(|cron| cron.name == name).unwrap();
        assert_eq!((cron.job)(Timestamp::from_millis(5)).queue, queue);
    }
}

#[test]
fn arguments_that_do_not_fit_are_an_error() {
    assert!(Job::read("upload_post", serde_json::json!({"post_id": "x"})).is_err());
    assert!(Job::read("no_such_kind", serde_json::json!({})).is_err());
}
