//! A ZIP archive on its way into the store: nothing of it is held but a few pieces.
//!
//! The `zip` crate writes on a thread of its own and is told what to write by a channel; what it gives
//! goes through another channel to the store. Whoever drops an archive before its end leaves no object.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use tokio::{sync::mpsc, task::JoinHandle};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::media::{Parcel, Part, Storage, StorageError};

/// Bytes that go to the store together.
const PIECE: usize = 256 * 1024;
/// Pieces that wait in a channel.
const AHEAD: usize = 4;

enum Order {
    File(String),
    Bytes(Bytes),
    End,
}

/// An archive that is being written.
pub(super) struct Archive {
    orders: mpsc::Sender<Order>,
    zipped: JoinHandle<io::Result<()>>,
    stored: JoinHandle<Result<Parcel, StorageError>>,
}

impl Archive {
    /// Begins an archive at a place in the store.
    pub(super) fn begin(storage: Storage, key: String) -> Self {
        let (orders, todo) = mpsc::channel(AHEAD);
        let (out, pieces) = mpsc::channel(AHEAD);
        let zipped = tokio::task::spawn_blocking(move || zip(todo, out));
        let stored = tokio::spawn(async move { storage.store_parcel(&key, pieces).await });
        Self {
            orders,
            zipped,
            stored,
        }
    }

    /// Begins the next file of the archive.
    pub(super) async fn file(&self, name: String) -> io::Result<()> {
        self.order(Order::File(name)).await
    }

    /// Writes on in the file.
    pub(super) async fn bytes(&self, bytes: Bytes) -> io::Result<()> {
        self.order(Order::Bytes(bytes)).await
    }

    async fn order(&self, order: Order) -> io::Result<()> {
        let gone = |_| io::Error::other("the archive cannot be written on");
        self.orders.send(order).await.map_err(gone)
    }

    /// Writes the end, and waits until everything is stored.
    pub(super) async fn finish(self) -> anyhow::Result<Parcel> {
        let told = self.order(Order::End).await;
        drop(self.orders);
        // What the store says is worth more than that nobody listens.
        let parcel = self.stored.await?;
        self.zipped.await??;
        told?;
        Ok(parcel?)
    }
}

/// Writes what is ordered. Without the end there is none: the store throws the rest away.
fn zip(mut todo: mpsc::Receiver<Order>, out: mpsc::Sender<Part>) -> io::Result<()> {
    // Files are compressed already, and whoever asks for their data reads JSON.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true)
        .unix_permissions(0o600);
    let mut zip = ZipWriter::new_stream(Pieces {
        out: out.clone(),
        waiting: BytesMut::with_capacity(PIECE),
    });
    loop {
        match todo.blocking_recv() {
            Some(Order::File(name)) => zip.start_file(name, options).map_err(io::Error::other)?,
            Some(Order::Bytes(bytes)) => zip.write_all(&bytes)?,
            Some(Order::End) => break,
            None => return Err(io::Error::other("the archive was given up")),
        }
    }
    let mut rest = zip.finish().map_err(io::Error::other)?.into_inner();
    rest.flush()?;
    out.blocking_send(Part::End).map_err(|_| stopped())
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the store takes nothing more")
}

/// What the archive's bytes are collected in.
struct Pieces {
    out: mpsc::Sender<Part>,
    waiting: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Part::Bytes(self.waiting.split().freeze());
        self.out.blocking_send(piece).map_err(|_| stopped())
    }
}
