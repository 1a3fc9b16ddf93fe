//! The keys, their values, and when they expire.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// The same as in Redis.
const MAX_VALUE: usize = 512 * 1024 * 1024;
/// The number of expired keys that are dropped before the task yields.
const BATCH: usize = 1000;

// ANCHOR: store
/// All keys. Each method is atomic for other clients.
///
/// An expired key is invisible to every reader at once. Its memory is freed by the next access to
/// it, or by [`drop_expired`](Self::drop_expired).
#[derive(Debug, Default)]
pub struct Store {
    // A lock of the standard library: it is held briefly, and never across an `.await`.
    state: Mutex<State>,
    /// Notified when the first deadline has become earlier.
    earlier: Notify,
}

// ANCHOR_END: store
#[derive(Debug, Default)]
struct State {
    entries: HashMap<Bytes, Entry>,
    /// The deadline of every entry that has one.
    deadlines: BTreeSet<(Instant, Bytes)>,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    deadline: Option<Instant>,
}

/// The deadline of a key after a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    Never,
    Keep,
    At(Instant),
}

/// When to set a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Always,
    IfMissing,
    IfPresent,
}

/// The time until a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeToLive {
    NoKey,
    Forever,
    For(Duration),
}

#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    NotAnInteger,
    Overflow,
    TooLong,
}

impl Store {
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        Some(self.state().live(key)?.value.clone())
    }

    pub fn get_all(&self, keys: &[Bytes]) -> Vec<Option<Bytes>> {
        let mut state = self.state();
        let value = |key: &Bytes| Some(state.live(key)?.value.clone());
        keys.iter().map(value).collect()
    }

    /// Sets the value of a key. Returns whether it was set.
    pub fn set(&self, key: &[u8], value: &[u8], expiry: Expiry, condition: Condition) -> bool {
        let mut state = self.state();
        let known = state.live(key).map(|entry| entry.deadline);
        match condition {
            Condition::IfMissing if known.is_some() => return false,
            Condition::IfPresent if known.is_none() => return false,
            _ => {}
        }
        let deadline = match expiry {
            Expiry::Never => None,
            Expiry::Keep => known.flatten(),
            Expiry::At(deadline) => Some(deadline),
        };
        state.put(key, copied(value));
        self.set_deadline(&mut state, key, deadline);
        true
    }

    /// Sets every key to the value that follows it.
    pub fn set_all(&self, pairs: &[Bytes]) {
        let mut state = self.state();
        for pair in pairs.chunks_exact(2) {
            state.put(&pair[0], copied(&pair[1]));
            self.set_deadline(&mut state, &pair[0], None);
        }
    }

    /// Removes the keys. Returns how many existed.
    pub fn remove(&self, keys: &[Bytes]) -> usize {
        let mut state = self.state();
        let removed = |key: &&Bytes| state.live(key).is_some() && state.remove(key);
        keys.iter().filter(removed).count()
    }

    /// Returns how many of the keys exist. A key that is named twice counts twice.
    pub fn count(&self, keys: &[Bytes]) -> usize {
        let mut state = self.state();
        keys.iter().filter(|key| state.live(key).is_some()).count()
    }

    /// Returns the new value. A missing key counts as 0. The deadline is kept.
    pub fn add(&self, key: &[u8], amount: i64) -> Result<i64, StoreError> {
        let mut state = self.state();
        let value = match state.live(key) {
            Some(entry) => crate::resp::number(&entry.value).ok_or(StoreError::NotAnInteger)?,
            None => 0,
        };
        let sum = value.checked_add(amount).ok_or(StoreError::Overflow)?;
        state.put(key, sum.to_string().into());
        Ok(sum)
    }

    /// Returns the new length. A missing key counts as empty. The deadline is kept.
    pub fn append(&self, key: &[u8], more: &[u8]) -> Result<usize, StoreError> {
        let mut state = self.state();
        let Some(entry) = state.live(key) else {
            state.put(key, copied(more));
            return Ok(more.len());
        };
        let length = entry.value.len() + more.len();
        if length > MAX_VALUE {
            return Err(StoreError::TooLong);
        }
        // In place, unless a pending reply shares the value.
        let value = std::mem::take(&mut entry.value).try_into_mut();
        let mut value = value.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        value.extend_from_slice(more);
        entry.value = value.freeze();
        Ok(length)
    }

    /// Returns whether the key exists. Removes it if its deadline has passed.
    pub fn expire(&self, key: &[u8], deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        let found = state.live(key).is_some();
        if found {
            self.set_deadline(&mut state, key, deadline);
        }
        found
    }

    pub fn time_to_live(&self, key: &[u8]) -> TimeToLive {
        match self.state().live(key).map(|entry| entry.deadline) {
            None => TimeToLive::NoKey,
            Some(None) => TimeToLive::Forever,
            Some(Some(deadline)) => {
                TimeToLive::For(deadline.saturating_duration_since(Instant::now()))
            }
        }
    }

    /// Returns the number of keys, including expired ones that were not dropped yet.
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Drops all keys.
    pub fn clear(&self) {
        // The memory is freed after the lock is released.
        let all = std::mem::take(&mut *self.state());
        drop(all);
    }

    // ANCHOR: expiry
    /// Drops keys as they expire. Never ends.
    pub async fn drop_expired(&self) {
        loop {
            let now = Instant::now();
            let next = self.state().drop_until(now, BATCH);
            match next {
                Some(deadline) if deadline <= now => yield_now().await,
                Some(deadline) => tokio::select! {
                    () = sleep_until(deadline) => {}
                    () = self.earlier.notified() => {}
                },
                None => self.earlier.notified().await,
            }
        }
    }
    // ANCHOR_END: expiry

    fn set_deadline(&self, state: &mut State, key: &[u8], deadline: Option<Instant>) {
        if state.set_deadline(key, deadline) {
            self.earlier.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the entry of `key`, unless it has expired.
    fn live(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let entry = self.entries.get(key)?;
        if entry.deadline.is_some_and(|at| at <= Instant::now()) {
            self.remove(key);
            return None;
        }
        self.entries.get_mut(key)
    }

    fn put(&mut self, key: &[u8], value: Bytes) {
        match self.entries.get_mut(key) {
            Some(entry) => entry.value = value,
            None => {
                let deadline = None;
                self.entries.insert(copied(key), Entry { value, deadline });
            }
        }
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else {
            return false;
        };
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, key));
        }
        true
    }

    /// Sets the deadline of a key. Returns whether the first of all deadlines is earlier now.
    fn set_deadline(&mut self, key: &[u8], deadline: Option<Instant>) -> bool {
        let Some((key, _)) = self.entries.get_key_value(key) else {
            return false;
        };
        // Both tables share the bytes of the key.
        let key = key.clone();
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        let before = std::mem::replace(&mut entry.deadline, deadline);
        if before == deadline {
            return false;
        }
        let first = self.deadlines.first().map(|(first, _)| *first);
        if let Some(before) = before {
            self.deadlines.remove(&(before, key.clone()));
        }
        let Some(deadline) = deadline else {
            return false;
        };
        self.deadlines.insert((deadline, key));
        first.is_none_or(|first| deadline < first)
    }

    /// Drops at most `limit` expired keys. Returns the first remaining deadline.
    fn drop_until(&mut self, now: Instant, limit: usize) -> Option<Instant> {
        for _ in 0..limit {
            let (deadline, _) = self.deadlines.first()?;
            if *deadline > now {
                return Some(*deadline);
            }
            if let Some((_, key)) = self.deadlines.pop_first() {
                self.entries.remove(&key);
            }
        }
        Some(self.deadlines.first()?.0)
    }
}

/// Copies the bytes: the arguments of a request are slices of the read buffer, and would keep all
/// of it in memory.
fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
