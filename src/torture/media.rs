//! Where media lie: a small disk of its own, so that it can be full, where the system lets us mount one.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::Options;

/// The directory of media: a small disk of its own, where the system lets us make one.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) path: PathBuf,
    /// Whether it is a disk of its own, so that it can be full.
    pub(super) is_small: bool,
}

/// Enough for a few thousand films.
const MEDIA_BYTES: &str = "size=1g";

impl Media {
    pub(super) fn make(directory: &Path, options: &Options) -> anyhow::Result<Self> {
        let path = directory.join("media");
        std::fs::create_dir_all(&path)?;
        let is_small = options.wants_full_disk()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", MEDIA_BYTES, "tmpfs"])
                .arg(&path)
                .output()
                .is_ok_and(|output| output.status.success());
        Ok(Self { path, is_small })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Nothing fits on the disk any more.
    pub(super) fn fill(&self) -> anyhow::Result<()> {
        let file = std::fs::File::create(self.filler())?;
        loop {
            let disk = rustix::fs::statvfs(&self.path)?;
            let bytes = disk.f_bavail * disk.f_frsize;
            if bytes == 0 {
                return Ok(());
            }
            match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
                // Somebody wrote since the disk was looked at.
                Err(rustix::io::Errno::NOSPC) => {}
                filled => return Ok(filled?),
            }
        }
    }

    pub(super) fn free(&self) {
        let _ = std::fs::remove_file(self.filler());
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        if self.is_small {
            let _ = Command::new("umount").arg(&self.path).status();
        }
    }
}
