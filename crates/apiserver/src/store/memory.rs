//! A store that keeps nothing: the image in memory is all there is.
//! For tests, simulation and a first try.
//! It never fails.

use super::{Latency, Loaded, RowChange, Store, StoreError};

/// Keeps nothing beyond the life of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

impl Store for Memory {
    fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    fn commit(&self, _changes: &[RowChange]) -> Result<(), StoreError> {
        Ok(())
    }

    fn latency(&self) -> Latency {
        Latency::None
    }
}
