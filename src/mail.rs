//! Handing letters over: to an SMTP server, or into a directory as files, which is the embedded default.
//!
//! It knows neither why a letter is written nor whether it is sent again. A letter's name at the servers
//! (`Message-ID`) is its caller's, so that one that is handed over twice is the same letter. TLS is
//! required unless the configuration says otherwise, and that only for a server on this machine.

use std::{path::PathBuf, time::Duration};

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
/// comes twice is one file.
async fn keep(directory: &std::path::Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(directory).await?;
    let aside = directory.join(format!(".{name}.part"));
    tokio::fs::write(&aside, bytes).await?;
    tokio::fs::rename(&aside, directory.join(format!("{name}.eml"))).await
}
