//! The descriptors of one poller.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;

use super::{Source, gone};

/// For runtime authors: the sources of one poller, each under the key that its events carry.
#[derive(Debug)]
pub struct Sources<S = Source> {
    live: Slab<Arc<S>>,
    ended: bool,
}

impl<S> Default for Sources<S> {
    fn default() -> Self {
        Self {
            live: Slab::new(),
            ended: false,
        }
    }
}

impl<S: AsRef<Source>> Sources<S> {
    /// Takes `source` in under a key, with which `watch` makes the poller watch its descriptor.
    ///
    /// # Errors
    /// Those of `watch`; one of kind `Other` when the poller has ended.
    pub fn add(
        &mut self,
        source: &Arc<S>,
        watch: impl FnOnce(u64) -> io::Result<()>,
    ) -> io::Result<usize> {
        if self.ended {
            return Err(gone());
        }
        let key = self.live.insert(Arc::clone(source));
        if let Err(error) = watch(key as u64) {
            self.live.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Whom an event concerns. A closed descriptor may still be in the batch, and its key given anew: the new one is then
    /// tried in vain once.
    pub fn get(&self, key: u64) -> Option<&Source> {
        let source = self.live.get(usize::try_from(key).ok()?)?;
        Some((**source).as_ref())
    }

    /// Lets go of a source; to be dropped outside of a lock.
    pub fn remove(&mut self, key: usize) -> Option<Arc<S>> {
        self.live.try_remove(key)
    }

    /// The poller ends: gathers those who wait, to be told so, as is whoever would wait later.
    pub fn end(&mut self, wakers: &mut Vec<Waker>) {
        self.ended = true;
        for (_, source) in &self.live {
            (**source).as_ref().end(wakers);
        }
    }

    /// Whether the poller has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }
}

impl AsRef<Self> for Source {
    fn as_ref(&self) -> &Self {
        self
    }
}
