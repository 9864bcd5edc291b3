//! A TCP proxy that can be told to cut, delay or swallow what passes.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How much is passed on at once.
const PIECE: usize = 64 * 1024;

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// They are passed on.
    Freely,
    /// They are passed on later.
    Late(Duration),
    /// They are taken and kept, and the other side hears nothing.
    Never,
}

/// A proxy in front of one server. It ends with this value.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    passing: watch::Sender<Passing>,
    connections: Arc<Mutex<CancellationToken>>,
    _stop: DropGuard,
}

impl Proxy {
    pub(super) async fn start(to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let passing = watch::Sender::new(Passing::Freely);
        let stop = CancellationToken::new();
        let connections = Arc::new(Mutex::new(stop.child_token()));
        let accepting = accept(listener, to, passing.subscribe(), Arc::clone(&connections));
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Self {
            address,
            passing,
            connections,
            _stop: stop.drop_guard(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pass(&self, passing: Passing) {
        self.passing.send_replace(passing);
    }

    /// Cuts every connection there is.
    pub(super) fn cut(&self) {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.cancel();
        *connections = CancellationToken::new();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    passing: watch::Receiver<Passing>,
    connections: Arc<Mutex<CancellationToken>>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let token = connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let joined = join(client, to, passing.clone());
        tokio::spawn(token.run_until_cancelled_owned(joined));
    }
}

async fn join(client: TcpStream, to: SocketAddr, passing: watch::Receiver<Passing>) {
    let Ok(server) = TcpStream::connect(to).await else {
        // A client whose server is away finds its connection closed.
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut ways = JoinSet::new();
    ways.spawn(pump(from_client, to_server, passing.clone()));
    ways.spawn(pump(from_server, to_client, passing));
    while ways.join_next().await.is_some() {}
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passing: watch::Receiver<Passing>,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(length) = from.read(&mut piece).await {
        if length == 0 {
            break;
        }
        let now = *passing.borrow_and_update();
        match now {
            Passing::Freely => {}
            Passing::Late(wait) => tokio::time::sleep(wait).await,
            Passing::Never => {
                if passing
                    .wait_for(|passing| *passing != Passing::Never)
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
