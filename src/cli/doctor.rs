//! `clipqueue doctor`: everything that the server needs, checked one by one.

use secrecy::ExposeSecret as _;

use crate::{
    app::App,
    clock::Clock,
    config::{Config, TransportKind},
    http::health,
    queue,
};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut problems = 0;
    let mut say = |name: &str, problem: Option<String>| match problem {
        None => println!("ok    {name}"),
        Some(problem) => {
            problems += 1;
            println!("FAIL  {name}: {problem}");
        }
    };
    say("configuration", None);
    match App::build(config.clone(), Clock::System).await {
        Err(error) => say("connections", Some(format!("{error:#}"))),
        Ok(app) => {
            for (name, problem) in health::run_checks(&app, false).await {
                say(name, problem);
            }
        }
    }
    if let TransportKind::Redis(url) = &config.transport.kind {
        match queue::inspect(url.expose_secret()).await {
            Err(error) => say("redis", Some(format!("{error:#}"))),
            Ok(report) => {
                say("redis", report.refusal());
                for warning in report.warnings() {
                    println!("warn  redis: {warning}");
                }
            }
        }
    }
    anyhow::ensure!(problems == 0, "{problems} check(s) failed");
    Ok(())
}
