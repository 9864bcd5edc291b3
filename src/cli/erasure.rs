//! `clipqueue erasure`: deleting people's data for them, searching for what is left, and applying
//! tombstones to a restored database.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use clipqueue_entities::{AccountId, user};

use super::receipt;
use crate::{
    app::App,
    clock::Clock,
    config::Config,
    domain::{
        api_keys,
        erasure::{
            self,
            search::{self, Needle},
            subject,
        },
    },
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Delete a user with everything, or one account of theirs. The workers do it.
    Begin {
        /// The user.
        #[arg(long)]
        user: String,
        /// One account alone, by its id.
        #[arg(long)]
        account: Option<AccountId>,
        /// Yes, it cannot be undone.
        #[arg(long, required = true)]
        yes: bool,
    },
    /// List erasures with their confirmation codes.
    List,
    /// Print the identifiers by which a user is known, one a line: what to search for afterwards.
    Identifiers {
        /// The user.
        #[arg(long)]
        user: String,
        /// One account alone, by its id.
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// Search everything that is stored for identifiers. Fails when it finds one that no receipt names.
    Scan {
        /// An identifier, such as an id, a TikTok username or a caption; may be given several times.
        #[arg(long, value_name = "TEXT")]
        subject: Vec<String>,
        /// A file of identifiers, one a line.
        #[arg(long, value_name = "FILE")]
        subjects: Option<PathBuf>,
        /// A signed receipt: what it says that stays is no fault.
        #[arg(long, value_name = "FILE")]
        receipt: Option<PathBuf>,
        /// A log file to search as well; may be given several times.
        #[arg(long, value_name = "FILE")]
        log: Vec<PathBuf>,
    },
    /// Write every tombstone to a file, to be kept apart from backups.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Apply tombstones again after a backup was restored, before the workers are started: those that lie
    /// beside the media, and those of a file.
    Replay {
        /// What `export` wrote.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    match command {
        Command::Begin {
            user,
            account,
            yes: _,
        } => {
            let user = known(&app, &user).await?;
            if let Some(account) = account {
                let own = crate::domain::accounts::get(app.db.read(), user.id, account).await;
                own.context("the user has no such account, or it is leaving already")?;
            }
            let accepted = erasure::by_operator(&app, user.id, account).await?;
            println!("{}", accepted.code);
            eprintln!("Follow it at {}", app.erasure_url(&accepted.code));
        }
        Command::List => {
            for (code, state, row) in erasure::all(&app).await? {
                println!("{}  {state:9}  {code}", row.id);
            }
        }
        Command::Identifiers { user, account } => {
            let user = known(&app, &user).await?;
            let mut out = std::io::stdout().lock();
            for text in subject::identifiers(&app, user.id, account).await? {
                writeln!(out, "{text}")?;
            }
        }
        Command::Scan {
            subject,
            subjects,
            receipt,
            log,
        } => scan(&app, subject, subjects, receipt, log).await?,
        Command::Export { file } => {
            let all = erasure::export(&app).await?;
            let text = serde_json::to_string_pretty(&all)?;
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            println!("{} erasures", all.len());
        }
        Command::Replay { from } => {
            let given = match from {
                None => Vec::new(),
                Some(file) => serde_json::from_value(receipt::read(&file)?)
                    .with_context(|| format!("{} holds no tombstones", file.display()))?,
            };
            let replayed = erasure::replay(&app, given).await?;
            println!(
                "{} erasures are known; {} had come back and are erased again",
                replayed.erasures, replayed.begun
            );
        }
    }
    Ok(())
}

async fn scan(
    app: &App,
    mut identifiers: Vec<String>,
    file: Option<PathBuf>,
    receipt_file: Option<PathBuf>,
    logs: Vec<PathBuf>,
) -> anyhow::Result<()> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        identifiers.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    let needle = Needle::new(identifiers)?;
    anyhow::ensure!(
        !needle.is_empty(),
        "name what to search for: --subject TEXT or --subjects FILE"
    );
    let receipt = match receipt_file {
        None => None,
        Some(file) => {
            let document = receipt::read(&file)?;
            let inner = &document["receipt"];
            Some(if inner.get("signature").is_some() {
                inner["receipt"].clone()
            } else {
                inner.clone()
            })
        }
    };
    let mut found = search::everywhere(app, &needle).await?;
    for path in &logs {
        search::log(path, &needle, &mut found)?;
    }
    let looked_at = found.looked_at;
    let (named, strays) = search::judge(found.findings(), receipt.as_ref());
    for (word, findings) in [("named", &named), ("FOUND", &strays)] {
        for finding in findings {
            println!(
                "{word}  {}  {}  {}",
                finding.count, finding.place, finding.identifier
            );
        }
    }
    println!(
        "{} identifiers in {looked_at} values: {} places that the receipt names, {} others",
        needle.len(),
        named.len(),
        strays.len()
    );
    anyhow::ensure!(strays.is_empty(), "identifiers were found");
    Ok(())
}

async fn known(app: &App, name: &str) -> anyhow::Result<user::Model> {
    api_keys::find_user(app, name)
        .await?
        .with_context(|| format!("there is no user {name}"))
}
