//! What lies in directories beside the database and the media: letters, and logs.

use std::{fs::File, io::BufRead as _, path::Path};

use anyhow::Context as _;

use super::{Found, Needle};
use crate::{app::App, domain::error::Result, telemetry};

/// How a long line of a letter goes on in the next.
const SOFT_BREAK: &[u8] = b"=\r\n";

/// Searches every letter that was written as a file.
pub(super) async fn letters(app: &App, needle: &Needle, found: &mut Found) -> Result<()> {
    for kept in app.mail.kept().await.map_err(anyhow::Error::from)? {
        let place = format!("mail:{}", kept.path.display());
        found.look(needle, &place, kept.name.as_bytes());
        let bytes = match tokio::fs::read(&kept.path).await {
            // It has gone since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            bytes => bytes.context("reading a letter")?,
        };
        found.look(needle, &place, &unfolded(&bytes));
    }
    Ok(())
}

/// A letter whose long lines are whole again.
fn unfolded(mut letter: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(letter.len());
    while let Some((first, rest)) = letter.split_first() {
        if let Some(after) = letter.strip_prefix(SOFT_BREAK) {
            letter = after;
        } else {
            whole.push(*first);
            letter = rest;
        }
    }
    whole
}

/// Searches the log files of this installation.
pub(super) fn logs(app: &App, needle: &Needle, found: &mut Found) -> Result<()> {
    let Some(directory) = &app.config.log.directory else {
        return Ok(());
    };
    for file in telemetry::files(directory).context("listing log.directory")? {
        log(&file.path, needle, found)?;
    }
    Ok(())
}

/// Searches a log file, line by line.
pub fn log(path: &Path, needle: &Needle, found: &mut Found) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening the log {}", path.display()))?;
    let place = format!("log:{}", path.display());
    for line in std::io::BufReader::new(file).split(b'\n') {
        found.look(needle, &place, &line.context("reading a log")?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_were_folded_are_whole() {
        assert_eq!(unfolded(b"To: a=\r\nda\r\n=\r\n="), b"To: ada\r\n=");
    }
}
