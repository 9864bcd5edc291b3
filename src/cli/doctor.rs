//! `clipqueue doctor`: everything that the server needs, checked one by one.

use std::time::Duration;

use crate::{
    app::App,
    clock::Clock,
    config::Config,
    http::health::{self, Problem},
};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut report = Report::default();
    report.line("configuration", None);
    for warning in &config.warnings {
        println!("warn  {warning}");
    }
    match App::build(config, Clock::System).await {
        Err(error) => report.line("connections", Some(format!("{error:#}"))),
        Ok(app) => {
            for check in health::run_checks(&app, false).await {
                // A process that is only asked about is not stopping.
                if check.name != "draining" {
                    report.line(check.name, check.problem.as_ref().map(Problem::detail));
                }
            }
            match app.queue.transport().inspect(app.clock.now()).await {
                Ok(None) => {}
                Ok(Some(redis)) => report.line("redis", redis.refusal()),
                Err(error) => {
                    report.line("redis", Some(format!("{:#}", anyhow::Error::from(error))));
                }
            }
            let written = app.media.storage().prove().await;
            report.line(
                "media can be written, read, listed and deleted",
                written
                    .err()
                    .map(|error| format!("{:#}", anyhow::Error::from(error))),
            );
            for (name, problem) in certificates(&app) {
                report.line(name, problem);
            }
            if let Some(provider) = &app.oidc {
                let asked = provider.prove().await;
                let problem = asked
                    .err()
                    .map(|error| format!("{error}; see console.oidc"));
                report.line("the provider of operators' identities", problem);
            }
            app.db.close().await?;
        }
    }
    match report.failed {
        0 => Ok(()),
        1 => anyhow::bail!("a check failed"),
        many => anyhow::bail!("{many} checks failed"),
    }
}

/// How long before its end a certificate of PayPal's is complained of.
const NOTICE: Duration = Duration::from_secs(14 * 86_400);

fn certificates(app: &App) -> Vec<(&'static str, Option<String>)> {
    if app.config.paypal.webhook_id.is_none() {
        return Vec::new();
    }
    let ending = app.paypal.untrusted(app.clock.now() + NOTICE);
    let files: Vec<String> = ending
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let problem = format!(
        "{} ends within 14 days or leads to no trusted root; see paypal.certificates",
        files.join(", ")
    );
    let problem = (!files.is_empty()).then_some(problem);
    vec![("PayPal's certificates", problem)]
}

#[derive(Default)]
struct Report {
    failed: usize,
}

impl Report {
    fn line(&mut self, name: &str, problem: Option<String>) {
        match problem {
            None => println!("ok    {name}"),
            Some(problem) => {
                self.failed += 1;
                println!("FAIL  {name}: {problem}");
            }
        }
    }
}
