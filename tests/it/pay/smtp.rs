//! A mail server on this machine that speaks SMTP as far as a client needs it, and can misbehave.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What the server does with a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Takes it.
    Take,
    /// Refuses its recipient with these words.
    Refuse(&'static str),
    /// Takes it and hangs up before it says so.
    HangUp,
}

/// A letter that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Received {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let line = self.text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    /// What it says, with its soft line breaks undone.
    pub(crate) fn says(&self) -> String {
        self.text.replace("=\r\n", "").replace("=3D", "=")
    }
}

#[derive(Default)]
struct Kept {
    manners: VecDeque<Manner>,
    letters: Vec<Received>,
    said: Vec<String>,
}

/// The server.
pub(crate) struct Server {
    pub(crate) port: u16,
    kept: Arc<Mutex<Kept>>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = Arc::clone(&kept);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that goes away is no fault of the test's.
                    let _ = talk(stream, &shared).await;
                });
            }
        });
        Self {
            port,
            kept,
            task: task.abort_handle(),
        }
    }

    /// Settings by which the product sends letters here.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// How the next letters are treated, one after the other; then all are taken.
    pub(crate) fn behave(&self, manners: impl IntoIterator<Item = Manner>) {
        self.kept.lock().unwrap().manners.extend(manners);
    }

    pub(crate) fn letters(&self) -> Vec<Received> {
        self.kept.lock().unwrap().letters.clone()
    }

    /// Every line that clients said outside of letters.
    pub(crate) fn said(&self) -> Vec<String> {
        self.kept.lock().unwrap().said.clone()
    }
}

async fn talk(stream: TcpStream, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test\r\n").await?;
    let (mut to, mut manner) = (String::new(), Manner::Take);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        kept.lock().unwrap().said.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                let next = kept.lock().unwrap().manners.pop_front();
                manner = next.unwrap_or(Manner::Take);
                "250 go on".to_owned()
            }
            "RCPT" => match manner {
                Manner::Refuse(words) => words.to_owned(),
                Manner::Take | Manner::HangUp => {
                    line["RCPT TO:".len()..]
                        .trim_matches(['<', '>'])
                        .clone_into(&mut to);
                    "250 yes".to_owned()
                }
            },
            "DATA" => {
                stream.write_all(b"354 say it\r\n").await?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut text).await? == 0 {
                        return Ok(());
                    }
                }
                let to = to.clone();
                kept.lock().unwrap().letters.push(Received { to, text });
                if matches!(manner, Manner::HangUp) {
                    return Ok(());
                }
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            "RSET" | "NOOP" => "250 yes".to_owned(),
            _ => "502 no".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
