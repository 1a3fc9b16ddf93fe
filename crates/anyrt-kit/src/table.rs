//! A slab that gives memory back.

use slab::{Slab, VacantEntry};

/// Below this capacity a table never shrinks.
const KEEP: usize = 1024;

/// A [`Slab`] whose capacity follows its length down again, at a constant cost per removal.
///
/// An entry that stays keeps all keys below its own.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slab: Slab<T>,
    /// Removals since it last tried to shrink.
    removed: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slab: Slab::new(),
            removed: 0,
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn insert(&mut self, value: T) -> usize {
        self.slab.insert(value)
    }

    pub(crate) fn vacant_entry(&mut self) -> VacantEntry<'_, T> {
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

    /// To shrink takes as long as the table is large, so it is tried once per half a table of removals.
    #[cold]
    fn shrink(&mut self) {
        self.removed += 1;
        let capacity = self.slab.capacity();
        if self.removed > capacity / 2 && self.slab.len() < capacity / 4 {
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
        for _ in 0..100_000 {
            let key = table.insert(0);
            table.try_remove(key);
        }
        assert!(table.slab.capacity() <= 2 * KEEP);
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
