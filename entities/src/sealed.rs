//! Bytes that must not be printed: sealed secrets and keyed hashes.

use std::fmt;

use sea_orm::DeriveValueType;

/// Bytes whose `Debug` shows only their number.
#[derive(Clone, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}
