//! `clipqueue deletion`: requests for deletion by people who cannot sign in, and an operator's look at them.

use std::io::Write as _;

use clap::Subcommand;
use clipqueue_entities::{AccountId, DeletionRequestId};

use crate::{
    app::App,
    clock::Clock,
    config::Config,
    domain::{
        actor::Actor,
        deletions::{
            self,
            judge::{self, Found, Seen},
        },
        erasure::receipt::instant,
        error::{Error, Refusal},
        roles,
    },
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List requests that are not over, those that come due first.
    List {
        /// Those that are over as well.
        #[arg(long)]
        all: bool,
    },
    /// Show a request with what its sender wrote, and who is connected here by that name.
    Show {
        /// The request.
        id: DeletionRequestId,
    },
    /// You have looked, and the request is the owner's: begin the erasure. It is recorded.
    Approve {
        /// The request.
        id: DeletionRequestId,
        /// The user whose data is deleted.
        #[arg(long)]
        user: String,
        /// One account of theirs alone, by its id.
        #[arg(long)]
        account: Option<AccountId>,
        /// What you looked at, without names of people.
        #[arg(long)]
        reason: String,
        /// Which operator you are, by name; without it the record names nobody.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Yes, it cannot be undone.
        #[arg(long, required = true)]
        yes: bool,
    },
    /// You have looked, and the request is not the owner's. It is recorded, and nothing is deleted but the
    /// request.
    Refuse {
        /// The request.
        id: DeletionRequestId,
        /// What you looked at, without names of people.
        #[arg(long)]
        reason: String,
        /// Which operator you are, by name; without it the record names nobody.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    match command {
        Command::List { all } => {
            let mut out = std::io::stdout().lock();
            for seen in judge::list(&app, all).await? {
                writeln!(out, "{}", line(&seen))?;
            }
        }
        Command::Show { id } => {
            let seen = judge::get(&app, id).await.map_err(plain)?;
            let candidates = judge::candidates(&app, &seen).await?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", line(&seen))?;
            if let Some(details) = &seen.details {
                writeln!(out, "username     {}", details.username)?;
                writeln!(
                    out,
                    "profile      {}",
                    shown(details.profile_url.as_deref())
                )?;
                writeln!(
                    out,
                    "description  {}",
                    shown(details.description.as_deref())
                )?;
                writeln!(out, "job ids      {}", details.job_ids.join(" "))?;
            }
            let told = if seen.has_email {
                "by letter"
            } else {
                "on the page alone"
            };
            writeln!(out, "told         {told}")?;
            for candidate in candidates {
                writeln!(
                    out,
                    "connected    account {} of user {}",
                    candidate.account, candidate.user_name
                )?;
            }
        }
        Command::Approve {
            id,
            user,
            account,
            reason,
            by,
            yes: _,
        } => {
            let by = operator(&app, by).await?;
            let found = Found {
                user_name: user,
                account,
            };
            let approved = judge::approve(&app, by.as_ref(), id, &found, &reason).await;
            let (_, erasure) = approved.map_err(plain)?;
            let code = app.vault.erasure_code(erasure);
            println!("{code}");
            eprintln!("Follow it at {}", app.erasure_url(&code));
        }
        Command::Refuse { id, reason, by } => {
            let by = operator(&app, by).await?;
            let seen = judge::refuse(&app, by.as_ref(), id, &reason).await;
            println!("{}", line(&seen.map_err(plain)?));
        }
    }
    Ok(())
}

/// In whose name it is done.
async fn operator(app: &App, name: Option<String>) -> anyhow::Result<Option<Actor>> {
    match name {
        Some(name) => Ok(Some(roles::acting(app, &name).await.map_err(plain)?)),
        None => Ok(None),
    }
}

fn line(seen: &Seen) -> String {
    let row = &seen.row;
    format!(
        "{}  {:7}  asked {}  due {}",
        row.id,
        deletions::word(row.state),
        instant(row.requested_at),
        instant(row.due_at)
    )
}

/// What strangers wrote may hold anything; a terminal must not obey it.
fn shown(text: Option<&str>) -> String {
    let text = text.unwrap_or("");
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn plain(error: Error) -> anyhow::Error {
    match error {
        Error::NotFound => {
            anyhow::anyhow!("there is no such request; see `clipqueue deletion list`")
        }
        Error::Refused(refusals) => {
            let text = |refusal: Refusal| match refusal.field.last() {
                Some(field) => format!("{field} {}", refusal.message),
                None => refusal.message,
            };
            let texts: Vec<String> = refusals.into_iter().map(text).collect();
            anyhow::anyhow!(texts.join("; "))
        }
        other => other.into(),
    }
}
