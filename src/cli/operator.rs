//! `clipqueue operator`: who runs the installation, and how much each may do.

use clap::Subcommand;
use clipqueue_entities::operator::Role;

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        api_keys,
        error::Error,
        roles::{self, named, word},
    },
    service::{self, Role as Process},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make somebody an operator, and print a key for the console and the API, once.
    Add {
        /// The name; the user is made when missing.
        name: String,
        /// viewer looks, operator steers queues and jobs, admin acts on many at once, settles posts and gives plans.
        #[arg(long, default_value = "viewer", value_parser = role)]
        role: Role,
    },
    /// List operators: the role, the name, and the provider of identities for those who sign in there.
    List,
    /// Give an operator another role; it counts at once.
    Role {
        /// The name.
        name: String,
        /// viewer, operator or admin.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// End an operator, with the keys and sessions. Signing in at a provider of identities does not bring them back.
    Revoke {
        /// The name.
        name: String,
    },
    /// Take back that an operator was ended. Keys stay ended; `operator add` makes one.
    Restore {
        /// The name.
        name: String,
    },
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Process::everything(), Clock::System).await?;
    match command {
        Command::Add { name, role } => {
            let key = roles::add(&app, &name, role).await;
            let key = key.map_err(|error| explain(error, &name))?;
            println!("{}", api_keys::expose(&key));
            eprintln!(
                "{name} is {}. Keep the key: it is not shown again.",
                word(role)
            );
        }
        Command::List => {
            for known in roles::list(&app).await? {
                let standing = known.standing();
                match &known.identity {
                    None => println!("{standing:8}  {}", known.name),
                    Some(of) => println!("{standing:8}  {}  from {}", known.name, of.issuer),
                }
            }
        }
        Command::Role { name, role } => {
            let changed = roles::change(&app, &name, role).await;
            changed.map_err(|error| explain(error, &name))?;
            println!("{name} is {} now.", word(role));
        }
        Command::Revoke { name } => {
            let ended = roles::revoke(&app, &name).await;
            ended.map_err(|error| explain(error, &name))?;
            println!("{name} is no operator any more.");
        }
        Command::Restore { name } => {
            let restored = roles::restore(&app, &name).await;
            let role = restored.map_err(|error| match error {
                Error::NotFound => anyhow::anyhow!(
                    "{name} is nobody who was ended; `clipqueue operator list` shows who was"
                ),
                other => explain(other, &name),
            })?;
            println!("{name} is {} again.", word(role));
        }
    }
    Ok(())
}

fn explain(error: Error, name: &str) -> anyhow::Error {
    match error {
        Error::NotFound => anyhow::anyhow!(
            "{name} is no operator; `clipqueue operator list` shows those there are"
        ),
        Error::Refused(refusals) => {
            let texts = refusals.into_iter().map(|refusal| refusal.message);
            anyhow::anyhow!("{name} {}", texts.collect::<Vec<_>>().join("; "))
        }
        other => other.into(),
    }
}

fn role(text: &str) -> Result<Role, String> {
    named(text).ok_or_else(|| format!("`{text}` is not viewer, operator or admin"))
}
