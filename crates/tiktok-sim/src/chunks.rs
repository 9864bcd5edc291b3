//! The chunk arithmetic of a file upload. Pure numbers; what was received is elsewhere.

/// A chunk of a split upload is at least this long (except the last, which is never shorter).
const MIN_CHUNK: u64 = 5_000_000;
/// A declared chunk, and a file sent in one piece, is at most this long.
const MAX_CHUNK: u64 = 67_108_864;
/// The last chunk takes the remainder and may reach this.
const MAX_LAST: u64 = 134_217_728;
/// The largest file.
const MAX_FILE: u64 = 4_294_967_296;
/// The most chunks.
const MAX_COUNT: u64 = 1_000;

/// A file cut into chunks by TikTok's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) size: u64,
    pub(crate) chunk: u64,
    pub(crate) count: u64,
}

/// What TikTok says about numbers that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanError {
    Size,
    Chunk,
    Count,
}

impl PlanError {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Size => "The video size is invalid",
            Self::Chunk => "The chunk size is invalid",
            Self::Count => "The total chunk count is invalid",
        }
    }
}

impl Plan {
    /// Checks the three numbers of an init.
    pub(crate) fn parse(size: i64, chunk: i64, count: i64) -> Result<Self, PlanError> {
        let size = u64::try_from(size).map_err(|_| PlanError::Size)?;
        let chunk = u64::try_from(chunk).map_err(|_| PlanError::Chunk)?;
        let count = u64::try_from(count).map_err(|_| PlanError::Count)?;
        if size == 0 || size > MAX_FILE {
            return Err(PlanError::Size);
        }
        if chunk == 0 || chunk > MAX_CHUNK {
            return Err(PlanError::Chunk);
        }
        if count == 0 || count > MAX_COUNT || count != size / chunk {
            return Err(PlanError::Count);
        }
        if count == 1 && chunk != size {
            return Err(PlanError::Chunk);
        }
        if count > 1 && chunk < MIN_CHUNK {
            return Err(PlanError::Chunk);
        }
        let plan = Self { size, chunk, count };
        let last = plan.size - (count - 1) * chunk;
        if last > MAX_LAST {
            return Err(PlanError::Chunk);
        }
        Ok(plan)
    }

    /// First and last byte (inclusive) of the chunk that starts at `first`, if one does.
    pub(crate) fn chunk_at(&self, first: u64) -> Option<(u64, u64)> {
        if !first.is_multiple_of(self.chunk) {
            return None;
        }
        let index = first / self.chunk;
        if index >= self.count {
            return None;
        }
        let last = if index + 1 == self.count {
            self.size - 1
        } else {
            first + self.chunk - 1
        };
        Some((first, last))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn documented_plans_pass_and_end_where_documented() {
        for (size, chunk, count, last) in [
            (1, 1, 1, (0, 0)),
            (4_194_304, 4_194_304, 1, (0, 4_194_303)),
            (50_000_123, 50_000_123, 1, (0, 50_000_122)),
            (64_000_000, 64_000_000, 1, (0, 63_999_999)),
            (64_000_001, 32_000_000, 2, (32_000_000, 64_000_000)),
            (66_259_900, 32_000_000, 2, (32_000_000, 66_259_899)),
            (121_000_000, 32_000_000, 3, (64_000_000, 120_999_999)),
            (602_285_541, 32_000_000, 18, (544_000_000, 602_285_540)),
            (
                4_000_000_000,
                32_000_000,
                125,
                (3_968_000_000, 3_999_999_999),
            ),
            (50_000_123, 10_000_000, 5, (40_000_000, 50_000_122)),
        ] {
            let plan = Plan::parse(size, chunk, count).unwrap();
            assert_eq!(plan.chunk_at((plan.count - 1) * plan.chunk), Some(last));
        }
    }

    #[test]
    fn plans_outside_the_rules_are_refused() {
        for (size, chunk, count, error) in [
            (64_000_001, 64_000_000, 1, PlanError::Chunk),
            (20_000_000, 10_000_001, 1, PlanError::Chunk),
            (65_000_000, 60_000_000, 2, PlanError::Count),
            (100_000_000, 100_000_000, 1, PlanError::Chunk),
            (50_000_123, 10_000_000, 6, PlanError::Count),
            (10_000_000, 4_000_000, 2, PlanError::Chunk),
            (0, 1, 0, PlanError::Size),
            (4_294_967_297, 64_000_000, 67, PlanError::Size),
            (-1, 1, 1, PlanError::Size),
        ] {
            assert_eq!(Plan::parse(size, chunk, count), Err(error), "{size}");
        }
    }

    #[test]
    fn only_boundaries_start_a_chunk() {
        let plan = Plan::parse(50_000_123, 10_000_000, 5).unwrap();
        assert_eq!(plan.chunk_at(10_000_000), Some((10_000_000, 19_999_999)));
        assert_eq!(plan.chunk_at(10_000_001), None);
        assert_eq!(plan.chunk_at(50_000_000), None);
    }
}
