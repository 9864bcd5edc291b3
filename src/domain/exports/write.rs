//! Writing an archive: `data/*.json` with the rows of each table, `media/*` with the files, and
//! `about.json`, which says what is there and what is not.

use bytes::Bytes;
use clipqueue_entities::{DataExportId, MediaId, UserId, data_export as export, media};
use futures::TryStreamExt as _;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{
    archive::Archive,
    named::Named,
    parts::{OTHERWISE, PARTS, Whose},
    wanted,
};
use crate::{
    app::App,
    domain::{
        billing::link,
        erasure::{self, receipt::instant},
        error::Result,
    },
    media::{Media, MediaError, MediaState, Storage},
    queue::Lease,
};

/// An archive that is stored and not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name of its object.
    pub object: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Writes everything about the user of an export. Before each table and each file it is proved that the
/// worker still holds the job, and asked whether the export is still wanted.
pub async fn write(app: &App, lease: &Lease, row: &export::Model) -> Result<Written> {
    super::remove(app, row.id).await?;
    let files = app.media.all_of(row.user_id).await;
    let files = files.map_err(anyhow::Error::from)?;
    let room = app.media.check_room(bytes_of(app, row.user_id).await?);
    room.map_err(anyhow::Error::from)?;
    let object = Storage::parcel_key(&row.id.to_string());
    let writer = Writer {
        app,
        lease,
        id: row.id,
        user: row.user_id,
        archive: Archive::begin(app.media.storage().clone(), object.clone()),
    };
    let mut rows = writer.tables().await?;
    rows.insert("audit_log".to_owned(), writer.audit().await?.into());
    writer.contact().await?;
    let media = writer.media(&files).await?;
    writer.about(rows, media).await?;
    let parcel = writer.archive.finish().await?;
    Ok(Written {
        object,
        size: parcel.size,
        sha256: parcel.sha256,
    })
}

/// Bytes of a user's files that go into the archive.
async fn bytes_of(app: &App, user: UserId) -> Result<u64> {
    let sizes: Vec<i64> = media::Entity::find()
        .select_only()
        .column(media::Column::Size)
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::State.eq(MediaState::Ready))
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(sizes.into_iter().map(i64::unsigned_abs).sum())
}

struct Writer<'a> {
    app: &'a App,
    lease: &'a Lease,
    id: DataExportId,
    user: UserId,
    archive: Archive,
}

impl Writer<'_> {
    async fn go_on(&self) -> Result<()> {
        let proved = self.lease.prove(&self.app.db).await;
        proved.map_err(anyhow::Error::from)?;
        wanted(self.app, self.id).await.map(drop)
    }

    async fn file(&self, name: String) -> Result<()> {
        self.go_on().await?;
        let begun = self.archive.file(name).await;
        Ok(begun.map_err(anyhow::Error::from)?)
    }

    async fn text(&self, text: impl Into<Bytes> + Send) -> Result<()> {
        let written = self.archive.bytes(text.into()).await;
        Ok(written.map_err(anyhow::Error::from)?)
    }

    /// Writes rows into the array that is open.
    async fn rows(&self, before: u64, rows: &[Value]) -> Result<()> {
        let mut text = String::new();
        for (row, place) in rows.iter().zip(before..) {
            text.push_str(if place == 0 { "\n" } else { ",\n" });
            text.push_str(&row.to_string());
        }
        if text.is_empty() {
            return Ok(());
        }
        self.text(text).await
    }

    /// Writes a file for each table. Gives how many rows each has.
    async fn tables(&self) -> Result<Map<String, Value>> {
        let lanes = erasure::lanes_of(self.app, self.user).await?;
        let whose = Whose::new(self.app.db.backend(), self.user.0, &lanes);
        let mut counts = Map::new();
        for part in PARTS {
            self.file(format!("data/{}.json", part.table)).await?;
            self.text("[").await?;
            let (mut written, mut last) = (0, None);
            loop {
                let page = part.page(self.app.db.read(), &whose, last).await?;
                self.rows(written, &page.rows).await?;
                written += page.rows.len() as u64;
                last = page.last;
                if last.is_none() {
                    break;
                }
            }
            self.text("\n]\n").await?;
            counts.insert(part.table.to_owned(), written.into());
        }
        Ok(counts)
    }

    async fn audit(&self) -> Result<u64> {
        self.file("data/audit_log.json".to_owned()).await?;
        self.text("[").await?;
        let mut named = Named::of(self.app, self.user).await?;
        let mut written = 0;
        while let Some(entries) = named.next(self.app).await? {
            self.rows(written, &entries).await?;
            written += entries.len() as u64;
        }
        self.text("\n]\n").await?;
        Ok(written)
    }

    /// Writes the address that letters about payments go to, which is sealed in its row.
    async fn contact(&self) -> Result<()> {
        let address = link::contact(self.app, self.app.db.read(), self.user).await?;
        let address = address.as_ref().map(|address| address.expose_secret());
        self.file("data/billing_contact.json".to_owned()).await?;
        self.text(format!("{}\n", json!({ "email": address })))
            .await
    }

    /// Writes the bytes of every file that is whole. Gives their names in the archive.
    async fn media(&self, files: &[MediaId]) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for id in files {
            // A file that is deleted meanwhile is not there, and that is the truth.
            let Ok(media) = self.app.media.get(self.user, *id).await else {
                continue;
            };
            if media.state != MediaState::Ready {
                continue;
            }
            let reader = match self.app.media.open(self.user, *id).await {
                Ok(reader) => reader,
                Err(MediaError::NotFound | MediaError::Gone { .. }) => continue,
                Err(error) => return Err(anyhow::Error::from(error).into()),
            };
            let name = name_of(&media);
            self.file(name.clone()).await?;
            let mut pieces = reader.read_range(0..reader.size());
            while let Some(piece) = pieces.try_next().await.map_err(anyhow::Error::from)? {
                self.text(piece).await?;
            }
            names.push(name);
        }
        Ok(names)
    }

    async fn about(&self, rows: Map<String, Value>, media: Vec<String>) -> Result<()> {
        let otherwise: Map<String, Value> = OTHERWISE
            .iter()
            .map(|(table, how)| ((*table).to_owned(), Value::from(*how)))
            .collect();
        let omitted: Map<String, Value> = PARTS
            .iter()
            .filter(|part| !part.omit.is_empty())
            .map(|part| (part.table.to_owned(), json!(part.omit)))
            .collect();
        let about = json!({
            "what": "Everything that is held about you: the rows of each table below data/, your files below media/.",
            "user": self.user,
            "written_at": instant(self.app.clock.now()),
            "rows": rows,
            "media": media,
            "left_out_or_elsewhere": otherwise,
            "billing_contact": "The address for letters about payments, which its row holds sealed, is in data/billing_contact.json.",
            "columns_left_out": omitted,
            "secrets": "Left out are hashes and sealed values, which are of use to nobody else, and numbers of our own.",
        });
        self.file("about.json".to_owned()).await?;
        self.text(format!("{about:#}\n")).await
    }
}

/// A file's name in the archive: its id, since two files may have one name, and an ending by content.
fn name_of(media: &Media) -> String {
    let ending = match media.content_type.as_deref() {
        Some("video/mp4") => "mp4",
        Some("video/quicktime") => "mov",
        Some("video/webm") => "webm",
        Some("image/jpeg") => "jpg",
        Some("image/webp") => "webp",
        _ => "bin",
    };
    format!("media/{}.{ending}", media.id)
}
