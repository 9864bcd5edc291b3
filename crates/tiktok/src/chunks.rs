//! How a file is cut into chunks for FILE_UPLOAD. Pure arithmetic; knows no network and no file.
//!
//! TikTok's rules: the count is `floor(size / chunk)`, the last chunk absorbs the remainder, every
//! chunk but the last has 5 to 64 MB, one chunk alone must equal the file, 64 MB or more never goes
//! alone, and chunks go strictly in order. Whether a MB is 10^6 or 2^20 bytes is not documented, so
//! [`plan`] stays where both readings agree.

use crate::limits::VIDEO_MAX_BYTES;

/// The largest file that goes in one chunk: 64 MB in the decimal reading.
pub const SINGLE_CHUNK_MAX: u64 = 64_000_000;
/// The chunk size of every larger file. Half of [`SINGLE_CHUNK_MAX`], so that the last chunk with
/// its remainder stays below 64 MB too.
pub const CHUNK_SIZE: u64 = 32_000_000;
/// The smallest chunk, except of a file that is smaller: 5 MB in the binary reading.
pub const CHUNK_MIN: u64 = 5 * 1024 * 1024;
/// The largest last chunk: 128 MB in the decimal reading.
pub const LAST_CHUNK_MAX: u64 = 128_000_000;
/// The most chunks that one upload may have.
pub const CHUNKS_MAX: u64 = 1000;

/// Why a file cannot be uploaded, or why stored numbers are no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is larger than TikTok takes.
    #[error("the file has {size} bytes, TikTok takes at most {max}")]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// [`VIDEO_MAX_BYTES`].
        max: u64,
    },
    /// The three numbers break TikTok's chunk rules.
    #[error(
        "{count} chunks of {chunk_size} bytes do not make a file of {size} bytes by TikTok's rules"
    )]
    Inconsistent {
        /// Bytes of the file.
        size: u64,
        /// Bytes of a chunk.
        chunk_size: u64,
        /// Number of chunks.
        count: u64,
    },
}

/// A cut of one file that TikTok accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlan {
    size: u64,
    chunk_size: u64,
    count: u64,
}

/// One chunk of a plan: a byte range of the file, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    plan: ChunkPlan,
    index: u64,
}

/// Plans the upload of a file of `size` bytes.
///
/// # Errors
/// [`PlanError::Empty`] and [`PlanError::TooLarge`].
pub fn plan(size: u64) -> Result<ChunkPlan, PlanError> {
    if size == 0 {
        return Err(PlanError::Empty);
    }
    if size > VIDEO_MAX_BYTES {
        return Err(PlanError::TooLarge {
            size,
            max: VIDEO_MAX_BYTES,
        });
    }
    let chunk_size = if size <= SINGLE_CHUNK_MAX {
        size
    } else {
        CHUNK_SIZE
    };
    Ok(ChunkPlan {
        size,
        chunk_size,
        count: size / chunk_size,
    })
}

impl ChunkPlan {
    /// Restores the plan with which an upload began, so that a later release with other chunk sizes
    /// can still finish it.
    ///
    /// # Errors
    /// [`PlanError::Inconsistent`] for numbers that TikTok would not have accepted, and the errors of [`plan`].
    pub fn restore(size: u64, chunk_size: u64, count: u64) -> Result<Self, PlanError> {
        plan(size)?;
        let wrong = PlanError::Inconsistent {
            size,
            chunk_size,
            count,
        };
        if chunk_size == 0 || size / chunk_size != count {
            return Err(wrong);
        }
        let restored = Self {
            size,
            chunk_size,
            count,
        };
        let sound = match count {
            0 => false,
            1 => chunk_size == size && size <= SINGLE_CHUNK_MAX,
            2..=CHUNKS_MAX => {
                (CHUNK_MIN..=SINGLE_CHUNK_MAX).contains(&chunk_size)
                    && size - chunk_size * (count - 1) <= LAST_CHUNK_MAX
            }
            _ => false,
        };
        if sound { Ok(restored) } else { Err(wrong) }
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of every chunk but the last.
    #[must_use]
    pub fn chunk_size(&self) -> u64 {
        self.chunk_size
    }

    /// Number of chunks, at least one.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The chunk with this number, counted from 0.
    #[must_use]
    pub fn range(&self, index: u64) -> Option<Chunk> {
        (index < self.count).then_some(Chunk { plan: *self, index })
    }

    /// All chunks in the order in which they must be sent.
    pub fn ranges(&self) -> impl Iterator<Item = Chunk> + use<> {
        let plan = *self;
        (0..plan.count).map(move |index| Chunk { plan, index })
    }

    /// The chunk that holds the byte at `offset`; `None` at or behind the end of the file, which
    /// means that nothing is left to send.
    #[must_use]
    pub fn chunk_at(&self, offset: u64) -> Option<Chunk> {
        if offset >= self.size {
            return None;
        }
        self.range((offset / self.chunk_size).min(self.count - 1))
    }

    /// The offset to go on from, given the progress that TikTok reports (`uploaded_bytes`, or the
    /// number in the answer's Content-Range).
    ///
    /// It is not documented whether that number counts bytes or names the last one, so both are
    /// understood: a chunk boundary is taken as it is, the byte before a boundary as that
    /// boundary. Anything else lies inside a chunk, and that chunk is to be sent again. The
    /// file's size comes back when all is there.
    #[must_use]
    pub fn next_offset(&self, progress: u64) -> u64 {
        if self.is_boundary(progress) {
            return progress;
        }
        match progress.checked_add(1) {
            Some(next) if self.is_boundary(next) => next,
            _ => self.chunk_at(progress).map_or(self.size, |c| c.first()),
        }
    }

    fn is_boundary(&self, offset: u64) -> bool {
        offset == self.size
            || (offset.is_multiple_of(self.chunk_size) && offset / self.chunk_size < self.count)
    }
}

// A chunk is never empty, so it has no `is_empty`.
#[allow(clippy::len_without_is_empty)]
impl Chunk {
    /// The plan that this chunk belongs to.
    #[must_use]
    pub fn plan(&self) -> ChunkPlan {
        self.plan
    }

    /// Its number, counted from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Offset of its first byte.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.index * self.plan.chunk_size
    }

    /// Offset of its last byte.
    #[must_use]
    pub fn last(&self) -> u64 {
        if self.is_last() {
            self.plan.size - 1
        } else {
            self.first() + self.plan.chunk_size - 1
        }
    }

    /// Number of its bytes, at least one.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.last() - self.first() + 1
    }

    /// Whether it ends the file. Sending this chunk is what makes TikTok publish.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.index + 1 == self.plan.count
    }

    /// The value of the request's Content-Range header.
    #[must_use]
    pub fn content_range(&self) -> String {
        format!("bytes {}-{}/{}", self.first(), self.last(), self.plan.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vectors() {
        // size, chunk, count, bytes of the last chunk, last range
        let vectors = [
            (1, 1, 1, 1, "0-0"),
            (4_194_304, 4_194_304, 1, 4_194_304, "0-4194303"),
            (50_000_123, 50_000_123, 1, 50_000_123, "0-50000122"),
            (64_000_000, 64_000_000, 1, 64_000_000, "0-63999999"),
            (64_000_001, 32_000_000, 2, 32_000_001, "32000000-64000000"),
            (66_259_900, 32_000_000, 2, 34_259_900, "32000000-66259899"),
            (121_000_000, 32_000_000, 3, 57_000_000, "64000000-120999999"),
            (
                602_285_541,
                32_000_000,
                18,
                58_285_541,
                "544000000-602285540",
            ),
            (
                4_000_000_000,
                32_000_000,
                125,
                32_000_000,
                "3968000000-3999999999",
            ),
        ];
        for (size, chunk_size, count, last_len, last_range) in vectors {
            let plan = plan(size).unwrap();
            assert_eq!(
                (plan.chunk_size(), plan.count()),
                (chunk_size, count),
                "{size}"
            );
            let last = plan.ranges().last().unwrap();
            assert_eq!(last.len(), last_len, "{size}");
            assert_eq!(last.content_range(), format!("bytes {last_range}/{size}"));
        }
        assert_eq!(plan(0), Err(PlanError::Empty));
        assert!(matches!(
            plan(4_000_000_001),
            Err(PlanError::TooLarge { .. })
        ));
        assert!(matches!(plan(u64::MAX), Err(PlanError::TooLarge { .. })));
    }

    #[test]
    fn restores_what_tiktok_accepts_and_nothing_else() {
        let documented = ChunkPlan::restore(50_000_123, 10_000_000, 5).unwrap();
        let last = documented.range(4).unwrap();
        assert_eq!(last.content_range(), "bytes 40000000-50000122/50000123");
        assert_eq!(documented.range(5), None);
        for (size, chunk, count) in [
            (64_000_001, 64_000_000, 1),
            (20_000_000, 10_000_001, 1),
            (65_000_000, 60_000_000, 2),
            (100_000_000, 100_000_000, 1),
            (50_000_123, 10_000_000, 6),
            (50_000_123, 0, 5),
            (10_000_000, 20_000_000, 0),
            (20_000_000, 4_000_000, 5),
        ] {
            let got = ChunkPlan::restore(size, chunk, count);
            assert!(matches!(got, Err(PlanError::Inconsistent { .. })), "{size}");
        }
    }

    fn sizes() -> impl Strategy<Value = u64> {
        prop_oneof![
            1..=VIDEO_MAX_BYTES,
            1..=1000u64,
            (1u64..=125, -2i64..=2).prop_map(|(n, d)| {
                (n * CHUNK_SIZE)
                    .saturating_add_signed(d)
                    .clamp(1, VIDEO_MAX_BYTES)
            }),
        ]
    }

    proptest! {
        #[test]
        fn chunks_tile_the_file(size in sizes()) {
            let plan = plan(size).unwrap();
            let mut next = 0;
            for (i, chunk) in plan.ranges().enumerate() {
                prop_assert_eq!(chunk.index(), i as u64);
                prop_assert_eq!(chunk.first(), next);
                prop_assert!(chunk.len() <= SINGLE_CHUNK_MAX);
                prop_assert!(chunk.is_last() || chunk.len() == plan.chunk_size());
                prop_assert!(plan.count() == 1 || chunk.len() >= CHUNK_MIN);
                next = chunk.last() + 1;
            }
            prop_assert_eq!(next, size);
            prop_assert_eq!(plan.count(), size / plan.chunk_size());
            prop_assert!(plan.count() > 1 || plan.chunk_size() == size);
            prop_assert_eq!(ChunkPlan::restore(size, plan.chunk_size(), plan.count()), Ok(plan));
        }

        #[test]
        fn chunk_at_finds_the_holder(size in sizes(), at in any::<prop::sample::Index>()) {
            let plan = plan(size).unwrap();
            let offset = at.index(usize::try_from(size).unwrap()) as u64;
            let chunk = plan.chunk_at(offset).unwrap();
            prop_assert!(chunk.first() <= offset && offset <= chunk.last());
            prop_assert_eq!(plan.chunk_at(size), None);
        }

        #[test]
        fn progress_by_count_or_by_index_means_the_same(size in 2..=VIDEO_MAX_BYTES) {
            let plan = plan(size).unwrap();
            prop_assert_eq!(plan.next_offset(0), 0);
            for chunk in plan.ranges() {
                prop_assert_eq!(plan.next_offset(chunk.last() + 1), chunk.last() + 1);
                prop_assert_eq!(plan.next_offset(chunk.last()), chunk.last() + 1);
            }
        }

        #[test]
        fn next_offset_is_always_a_boundary_not_far_behind(size in sizes(), progress in any::<u64>()) {
            let plan = plan(size).unwrap();
            let next = plan.next_offset(progress);
            prop_assert!(next == size || plan.ranges().any(|c| c.first() == next));
            // Never skips a byte that was not reported.
            prop_assert!(next <= progress.saturating_add(1));
        }
    }
}
