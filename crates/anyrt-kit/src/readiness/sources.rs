//! The descriptors of one poller.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use super::source::{Source, gone};
use crate::table::Table;

/// For runtime authors: the sources of one poller, by the token of their events.
///
/// # Why a token is never reused
/// A poller takes a batch of events and looks up their tokens afterwards. A descriptor may be
/// closed in between, and the next one may reuse its place in the table. So a token consists of the
/// place and a generation: an event of the closed descriptor finds nothing, rather than marking a
/// live one as closed for good.
#[derive(Debug)]
pub struct Sources<S = Source> {
    live: Table<Registered<S>>,
    /// The generation of the next source. It wraps around after 2^32 registrations, long after any
    /// batch that could still contain the first.
    generation: u32,
    ended: bool,
}

#[derive(Debug)]
struct Registered<S> {
    generation: u32,
    source: Arc<S>,
}

impl<S> Default for Sources<S> {
    fn default() -> Self {
        Self {
            live: Table::default(),
            generation: 0,
            ended: false,
        }
    }
}

impl<S: AsRef<Source>> Sources<S> {
    /// Adds `source` under a new token, with which `watch` registers its descriptor, and returns
    /// the token. The two highest tokens are never used.
    ///
    /// # Errors
    /// Returns the error of `watch`, or fails with kind `Other` if the poller has ended.
    pub fn add(
        &mut self,
        source: &Arc<S>,
        watch: impl FnOnce(u64) -> io::Result<()>,
    ) -> io::Result<u64> {
        if self.ended {
            return Err(gone());
        }
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let key = self.live.insert(Registered {
            generation,
            source: Arc::clone(source),
        });
        let token = u64::from(generation) << KEY_BITS | key as u64;
        if let Err(error) = watch(token) {
            self.live.try_remove(key);
            return Err(error);
        }
        Ok(token)
    }

    /// Returns the source with this token, or `None` if it was removed.
    pub fn get(&self, token: u64) -> Option<&Source> {
        let registered = self.live.get(key_of(token))?;
        registered.is(token).then(|| (*registered.source).as_ref())
    }

    /// Removes a source, which the caller must drop outside of a lock.
    pub fn remove(&mut self, token: u64) -> Option<Arc<S>> {
        let key = key_of(token);
        let registered = self.live.get(key)?;
        if !registered.is(token) {
            return None;
        }
        Some(self.live.try_remove(key)?.source)
    }

    /// Records that the poller has ended: current and later operations fail. Collects the wakers to
    /// wake.
    pub fn end(&mut self, wakers: &mut Vec<Waker>) {
        self.ended = true;
        for registered in self.live.iter() {
            (*registered.source).as_ref().end(wakers);
        }
    }

    /// Returns `true` if the poller has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the number of sources.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Returns `true` if there are no sources.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }
}

const KEY_BITS: u32 = u32::BITS;

/// Returns the place in the table. There are fewer than 2^32, because each has a descriptor.
fn key_of(token: u64) -> usize {
    (token & u64::from(u32::MAX)) as usize
}

impl<S> Registered<S> {
    fn is(&self, token: u64) -> bool {
        token >> KEY_BITS == u64::from(self.generation)
    }
}

impl AsRef<Self> for Source {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyrt_core::readiness::Ready;

    fn source() -> Arc<Source> {
        Arc::new(Source::new(Ready::EMPTY))
    }

    #[test]
    fn the_token_of_a_removed_source_finds_nobody_when_its_place_is_taken() {
        let mut sources = Sources::default();
        let first = sources.add(&source(), |_| Ok(())).unwrap();
        assert!(sources.remove(first).is_some());
        let second = sources.add(&source(), |_| Ok(())).unwrap();
        assert_eq!(key_of(first), key_of(second), "the place is reused");
        assert!(sources.get(first).is_none());
        assert!(sources.remove(first).is_none());
        assert!(sources.get(second).is_some());
        assert_eq!(sources.len(), 1);
    }

    #[test]
    fn a_source_that_cannot_be_watched_leaves_no_trace() {
        let mut sources = Sources::default();
        let refused = sources.add(&source(), |_| Err(io::ErrorKind::Other.into()));
        assert!(refused.is_err() && sources.is_empty());
    }
}
