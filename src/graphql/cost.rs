//! What a page of a connection costs, for the `complexity` attributes of a schema.
//!
//! The engine adds and multiplies these as plain numbers. They are capped here, so that no sum of
//! them can overflow and pass for a small cost.

/// The longest page that a connection gives.
pub const MAX_PAGE: usize = 100;
/// The page that a connection gives when the client names no length.
pub const DEFAULT_PAGE: usize = 20;
/// Far beyond every limit, and far from overflowing in any sum that a document can cause.
const CAP: usize = 1_000_000_000;

/// The cost of a page of `first` (or `last`) items that cost `child` each.
///
/// A length that the connection will refuse is charged as the longest page.
pub fn page(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let asked = first.into_iter().chain(last).max();
    let items = asked.map_or(DEFAULT_PAGE, |items| {
        usize::try_from(items).unwrap_or(MAX_PAGE).min(MAX_PAGE)
    });
    list(items, child)
}

/// The cost of a list of `items` that cost `child` each.
pub fn list(items: usize, child: usize) -> usize {
    items.saturating_mul(child).saturating_add(1).min(CAP)
}

/// The cost of the answer to a request of `rows` rows that cost `child` each. They come out of the write
/// itself, so that ten of them cost what one object does that must be looked up.
pub fn rows(rows: usize, child: usize) -> usize {
    list(rows, child).div_ceil(10).min(CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cost_their_items_and_never_overflow() {
        assert_eq!(page(None, None, 2), 41);
        assert_eq!(page(Some(5), None, 2), 11);
        assert_eq!(page(None, Some(7), 1), 8);
        assert_eq!(page(Some(i32::MAX), None, 1), 101);
        assert_eq!(page(Some(-1), None, 1), 101);
        assert_eq!(page(Some(100), None, usize::MAX), CAP);
        assert_eq!((rows(500, 12), rows(1, 12), rows(0, 12)), (601, 2, 1));
    }
}
