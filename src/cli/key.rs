//! `clipqueue key`: API keys, among them the first.

use anyhow::Context as _;
use clap::Subcommand;
use clipqueue_entities::{ApiKeyId, Timestamp, api_key, user};

use crate::{
    app::App,
    clock::Clock,
    config::{Config, parse_duration},
    domain::{
        actor::Scope,
        api_keys::{self, NewKey},
        error::Error,
    },
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, once.
    Create {
        /// The user that the key acts for; made when missing.
        #[arg(long)]
        user: String,
        /// A name by which you will know the key.
        #[arg(long, default_value = "command line")]
        name: String,
        /// Scopes, separated by commas. By default everything that a front end needs.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Let the key also see and steer queues and make keys.
        #[arg(long)]
        operator: bool,
        /// How long the key works, such as 90d; for ever by default.
        #[arg(long, value_parser = duration)]
        expires_in: Option<std::time::Duration>,
    },
    /// List a user's keys.
    List {
        /// The user.
        #[arg(long)]
        user: String,
    },
    /// End a key.
    Revoke {
        /// The user.
        #[arg(long)]
        user: String,
        /// The key's id, as `key list` shows it.
        id: ApiKeyId,
    },
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    match command {
        Command::Create {
            user,
            name,
            scopes,
            operator,
            expires_in,
        } => {
            let scopes = chosen(scopes, operator);
            let key = create(&app, &user, &name, &scopes, expires_in).await?;
            println!("{}", api_keys::expose(&key));
            eprintln!("Keep it: it is not shown again.");
        }
        Command::List { user } => {
            let user = known(&app, &user).await?;
            for key in api_keys::list(&app, user.id).await? {
                let state = state(&key, app.clock.now());
                println!("{}  {state:7}  {}  [{}]", key.id, key.name, key.scopes);
            }
        }
        Command::Revoke { user, id } => {
            let owner = known(&app, &user).await?;
            match api_keys::revoke(&app, owner.id, id).await {
                Err(Error::NotFound) => anyhow::bail!(
                    "{user} has no key {id}; `clipqueue key list --user {user}` shows those there are"
                ),
                ended => ended.map_err(explain)?,
            };
            println!("{id} no longer works.");
        }
    }
    Ok(())
}

/// The user of that name, who must be there.
async fn known(app: &App, name: &str) -> anyhow::Result<user::Model> {
    api_keys::find_user(app, name)
        .await?
        .with_context(|| format!("there is no user {name}; `clipqueue key create` makes users"))
}

async fn create(
    app: &App,
    user: &str,
    name: &str,
    scopes: &[Scope],
    expires_in: Option<std::time::Duration>,
) -> anyhow::Result<NewKey> {
    let user = api_keys::ensure_user(app, user).await.map_err(explain)?;
    let expires_at = expires_in.map(|life| app.clock.now() + life);
    api_keys::create(app, user.id, name, scopes, expires_at)
        .await
        .map_err(explain)
}

fn state(key: &api_key::Model, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else {
        "live"
    }
}

fn chosen(scopes: Vec<Scope>, operator: bool) -> Vec<Scope> {
    match (scopes.is_empty(), operator) {
        (_, true) => Scope::ALL.to_vec(),
        (true, false) => Scope::CREATOR.to_vec(),
        (false, false) => scopes,
    }
}

fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(refusals) => {
            let texts: Vec<String> = refusals
                .into_iter()
                .map(|refusal| match refusal.field.last() {
                    Some(field) => format!("{field} {}", refusal.message),
                    None => refusal.message,
                })
                .collect();
            anyhow::anyhow!(texts.join("; "))
        }
        Error::NotFound | Error::Forbidden(_) | Error::Internal(_) => error.into(),
    }
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration such as 90d or 12h"))
}
