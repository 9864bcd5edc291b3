//! `clipqueue doctor`: everything that the server needs, checked one by one.

use crate::{app::App, clock::Clock, config::Config, http::health};

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
            match app.queue.transport().inspect(app.clock.now()).await {
                Ok(None) => {}
                Ok(Some(report)) => say("redis", report.refusal()),
                Err(error) => say("redis", Some(format!("{:#}", anyhow::Error::from(error)))),
            }
        }
    }
    anyhow::ensure!(problems == 0, "{problems} check(s) failed");
    Ok(())
}
