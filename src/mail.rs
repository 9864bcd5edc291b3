//! Handing letters over: to an SMTP server, or into a directory as files that their owner alone may read,
//! which is the embedded default.
//!
//! It knows neither why a letter is written nor whether it is sent again. A letter's name at the servers
//! (`Message-ID`) is its caller's, so that one that is handed over twice is the same letter. TLS is
//! required unless the configuration says otherwise, and that only for a server on this machine.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

/// How long a server may take over one step of the conversation.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where letters go.
#[derive(Clone, Debug)]
pub enum Outbox {
    /// Into this directory, a file each.
    Directory(PathBuf),
    /// To a server.
    Smtp(Server),
}

/// An SMTP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// The name and the password to sign in with; nobody, when the name is empty.
    pub user: String,
    /// See there.
    pub password: SecretString,
}

/// How a connection is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said; without it nothing is sent.
    StartTls,
    /// Not at all.
    None,
}

/// A letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its name, without a host.
    pub name: String,
    /// Whom it is for.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Why a letter was not taken. Neither says whom it was for.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// It may be taken later; perhaps it was, and the answer was lost.
    #[error("the mail server did not take the letter: {0}")]
    ForNow(&'static str),
    /// It never will be.
    #[error("the mail server refused the letter: {0}")]
    Never(&'static str),
}

impl NotSent {
    /// Why, as a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ForNow(word) | Self::Never(word) => word,
        }
    }
}

#[derive(Clone, Debug)]
enum Way {
    Directory(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Hands letters over.
#[derive(Clone, Debug)]
pub struct Mailer {
    way: Way,
    from: Mailbox,
}

/// Whether letters can go there.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

impl Mailer {
    /// Letters from `from` by way of `outbox`.
    pub fn new(outbox: &Outbox, from: &str) -> anyhow::Result<Self> {
        let from = from.parse().context("mail.from is no address")?;
        let way = match outbox {
            Outbox::Directory(path) => Way::Directory(path.clone()),
            Outbox::Smtp(server) => Way::Smtp(transport(server)?),
        };
        Ok(Self { way, from })
    }

    /// Hands a letter over.
    pub async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let host = self.from.email.domain();
        let to: Mailbox = letter
            .to
            .parse()
            .map_err(|_| NotSent::Never("no_address"))?;
        let message = Message::builder()
            .message_id(Some(format!("<{}@{host}>", letter.name)))
            .from(self.from.clone())
            .to(to)
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|_| NotSent::Never("no_message"))?;
        match &self.way {
            Way::Directory(path) => keep(path, &letter.name, &message.formatted())
                .await
                .map_err(|error| {
                    tracing::error!(%error, "a letter cannot be written to the outbox");
                    NotSent::ForNow("outbox")
                }),
            Way::Smtp(smtp) => smtp
                .send(message)
                .await
                .map(|_| ())
                .map_err(|error| not_sent(&error)),
        }
    }
}

/// A file of a letter.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The letter's name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Mailer {
    /// The files of letters, whole ones and what a crash left of one. None, where they go to a server.
    pub async fn kept(&self) -> io::Result<Vec<Kept>> {
        let Way::Directory(directory) = &self.way else {
            return Ok(Vec::new());
        };
        let mut entries = match tokio::fs::read_dir(directory).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut kept = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let file = entry.file_name();
            let name = file.to_str().and_then(name_of);
            kept.extend(name.map(|name| Kept {
                name: name.to_owned(),
                path: entry.path(),
            }));
        }
        Ok(kept)
    }

    /// Deletes the file of a letter. Gives whether there was one.
    pub async fn forget(&self, name: &str) -> io::Result<bool> {
        let Way::Directory(directory) = &self.way else {
            return Ok(false);
        };
        let mut was_there = false;
        for path in places(directory, name) {
            match tokio::fs::remove_file(path).await {
                Ok(()) => was_there = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(was_there)
    }
}

/// Where a letter is, and where it is while it is being written.
fn places(directory: &Path, name: &str) -> [PathBuf; 2] {
    [
        directory.join(format!("{name}.eml")),
        directory.join(format!(".{name}.part")),
    ]
}

/// The letter that a file is of.
fn name_of(file: &str) -> Option<&str> {
    let part = || file.strip_prefix('.')?.strip_suffix(".part");
    file.strip_suffix(".eml").or_else(part)
}

fn transport(server: &Server) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = || TlsParameters::new(server.host.clone()).context("setting up TLS for mail.url");
    let tls = match server.security {
        Security::Tls => Tls::Wrapper(tls()?),
        Security::StartTls => Tls::Required(tls()?),
        Security::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(server.port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if !server.user.is_empty() {
        let password = server.password.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(server.user.clone(), password));
    }
    Ok(builder.build())
}

/// The server's own words may repeat an address, so a class stands for them.
fn not_sent(error: &lettre::transport::smtp::Error) -> NotSent {
    if error.is_permanent() {
        NotSent::Never("refused")
    } else if error.is_transient() {
        NotSent::ForNow("later")
    } else if error.is_tls() {
        NotSent::ForNow("tls")
    } else if error.is_timeout() {
        NotSent::ForNow("too_slow")
    } else {
        NotSent::ForNow("unreachable")
    }
}

/// Written aside and then named, so that whoever reads the directory sees whole letters; a letter that
/// comes twice is one file. Others on this machine read none: letters hold codes and addresses.
async fn keep(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut folder = tokio::fs::DirBuilder::new();
    let mut file = tokio::fs::OpenOptions::new();
    file.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        folder.mode(0o700);
        file.mode(0o600);
    }
    folder.recursive(true).create(directory).await?;
    let [place, aside] = places(directory, name);
    let mut written = file.open(&aside).await?;
    written.write_all(bytes).await?;
    written.flush().await?;
    tokio::fs::rename(&aside, place).await
}
