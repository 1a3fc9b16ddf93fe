//! A slab that releases memory.

use slab::{Slab, VacantEntry};

/// Below this capacity a table never shrinks.
const KEEP: usize = 1024;

/// A [`Slab`] whose capacity shrinks with its length, at a constant cost per removal.
///
/// An entry keeps the memory of all places below its own.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slab: Slab<T>,
    /// The length at which it next tries to shrink. An attempt fails while the last place is taken,
    /// so it tries at each quarter of the length on the way down, and when it is empty.
    low: usize,
    /// Removals since the last attempt.
    removed: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slab: Slab::new(),
            low: 0,
            removed: 0,
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn insert(&mut self, value: T) -> usize {
        let entry = self.vacant_entry();
        let key = entry.key();
        entry.insert(value);
        key
    }

    pub(crate) fn vacant_entry(&mut self) -> VacantEntry<'_, T> {
        if self.slab.len() == self.slab.capacity() {
            // It is about to double: a quarter of what it will have.
            self.low = self.slab.capacity() / 2;
        }
        self.slab.vacant_entry()
    }

    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.slab.get_mut(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slab.iter().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    #[inline]
    pub(crate) fn try_remove(&mut self, key: usize) -> Option<T> {
        let value = self.slab.try_remove(key);
        if self.slab.capacity() > KEEP {
            self.shrink();
        }
        value
    }

    #[cold]
    fn shrink(&mut self) {
        self.removed += 1;
        if self.removed > self.slab.capacity() {
            self.low = self.slab.capacity() / 4;
            self.removed = 0;
        }
        let len = self.slab.len();
        if len <= self.low {
            self.low = len / 4;
            self.removed = 0;
            self.slab.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_was_large_shrinks() {
        let mut table = Table::default();
        let keys: Vec<_> = (0..100_000).map(|n| table.insert(n)).collect();
        for key in keys {
            table.try_remove(key);
        }
        assert!(table.is_empty());
        assert!(table.slab.capacity() <= KEEP);
    }

    #[test]
    fn a_table_that_was_large_shrinks_in_spite_of_one_that_stays() {
        let mut table = Table::default();
        let stays = table.insert(0);
        let keys: Vec<_> = (0..100_000).map(|n| table.insert(n)).collect();
        for key in keys {
            table.try_remove(key);
        }
        for _ in 0..200_000 {
            let key = table.insert(0);
            table.try_remove(key);
        }
        assert!(table.slab.capacity() <= KEEP);
        assert_eq!(table.get(stays), Some(&0));
    }

    #[test]
    fn entries_keep_their_keys_while_it_shrinks() {
        let mut table = Table::default();
        let keys: Vec<_> = (0..10_000).map(|n| table.insert(n)).collect();
        for &key in &keys[10..] {
            table.try_remove(key);
        }
        for (n, &key) in keys[..10].iter().enumerate() {
            assert_eq!(table.get(key), Some(&n));
        }
        assert_eq!(table.len(), 10);
    }
}
