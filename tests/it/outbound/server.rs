//! A server that answers by bytes, so that it can lie, and a resolver that says what a test wants.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clipqueue::fetch::{FetchError, Fetcher, Patience, Policy, Resolver};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// The host that honest tests ask.
pub(crate) const HOST: &str = "films.example.com";

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// How the server answers.
pub(crate) enum Answer {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// These bytes, and then one piece after another without end.
    Endless(Vec<u8>, &'static [u8], Duration),
    /// Nothing at all.
    Silence,
}

impl Answer {
    /// A well-formed answer.
    pub(crate) fn whole(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let mut bytes =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }

    /// These bytes.
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// A server on this machine.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, count, answer) = (
            Arc::clone(&asked),
            Arc::clone(&connections),
            Arc::new(answer),
        );
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move {
                    let _ = serve(stream, &log, answer.as_ref()).await;
                });
            }
        });
        Self {
            port,
            asked,
            connections,
            task: task.abort_handle(),
        }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// An address of the server under its name.
    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{HOST}:{}{path}", self.port)
            .parse()
            .unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    answer: &(dyn Fn(&Asked) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let asked = Asked {
        path,
        headers,
        body: String::from_utf8(body).unwrap(),
    };
    let answer = answer(&asked);
    log.lock().unwrap().push(asked);
    match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await?,
        Answer::Endless(head, piece, gap) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(piece).await?;
                tokio::time::sleep(gap).await;
            }
        }
        Answer::Silence => {
            // Until the client goes.
            let _ = stream.read_u8().await;
        }
    }
    stream.shutdown().await
}

/// A resolver that knows what it was told. Of several answers each is given once, the last for ever.
#[derive(Debug, Default)]
pub(crate) struct Names {
    addresses: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    texts: Mutex<HashMap<String, Vec<String>>>,
    asked: AtomicUsize,
}

impl Names {
    /// One that knows the honest host.
    pub(crate) fn new() -> Arc<Self> {
        let names = Arc::new(Self::default());
        names.lead(HOST, &[&["127.0.0.1"]]);
        names
    }

    pub(crate) fn lead(&self, host: &str, answers: &[&[&str]]) {
        let answers = answers
            .iter()
            .map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect())
            .collect();
        self.addresses
            .lock()
            .unwrap()
            .insert(host.to_owned(), answers);
    }

    pub(crate) fn text(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.texts.lock().unwrap().insert(name.to_owned(), texts);
    }

    /// How often addresses were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Resolver for Names {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut known = self.addresses.lock().unwrap();
        let answers = known.get_mut(host).ok_or(FetchError::Unresolved)?;
        let answer = answers.front().cloned().ok_or(FetchError::Unresolved)?;
        if answers.len() > 1 {
            answers.pop_front();
        }
        Ok(answer)
    }

    async fn texts(&self, name: &str) -> Result<Vec<String>, FetchError> {
        let known = self.texts.lock().unwrap();
        Ok(known.get(name).cloned().unwrap_or_default())
    }
}

/// Patience that a loaded machine does not wear out.
pub(crate) const LONG: Patience = Patience {
    connect: Duration::from_secs(30),
    answer: Duration::from_secs(30),
    silence: Duration::from_secs(30),
    body: Duration::from_secs(60),
};

/// Patience for tests in which it wears out.
pub(crate) const SHORT: Patience = Patience {
    connect: Duration::from_secs(1),
    answer: Duration::from_millis(500),
    silence: Duration::from_millis(500),
    body: Duration::from_secs(1),
};

/// A fetcher that may ask this machine.
pub(crate) fn fetcher(names: &Arc<Names>, patience: Patience) -> Fetcher {
    let policy = Policy {
        loopback: true,
        ..Policy::default()
    };
    Fetcher::new(policy, patience, Arc::clone(names) as Arc<dyn Resolver>).unwrap()
}

/// A fetcher as in production, but for the port of a test's server.
pub(crate) fn strict(names: &Arc<Names>, port: u16) -> Fetcher {
    let policy = Policy {
        ports: vec![443, port],
        loopback: false,
    };
    Fetcher::new(policy, LONG, Arc::clone(names) as Arc<dyn Resolver>).unwrap()
}
