//! The epoll of a runtime.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_kit::readiness::Source;

use crate::reactor::Reactor;

/// That a descriptor is watched.
pub(super) struct Watch {
    reactor: Arc<Reactor>,
    source: Arc<Source>,
    token: u64,
}

impl Watch {
    pub(super) fn start(
        reactor: &Arc<Reactor>,
        fd: BorrowedFd<'_>,
        interest: Interest,
        assumed: Ready,
    ) -> io::Result<Self> {
        let source = Arc::new(Source::new(assumed));
        let token = reactor.add(fd, interest, &source)?;
        Ok(Self {
            reactor: Arc::clone(reactor),
            source,
            token,
        })
    }

    pub(super) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    #[inline]
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// It is watched from the beginning to the end.
    #[inline]
    pub(super) fn bind(&self, _: Interest) -> io::Result<bool> {
        Ok(false)
    }

    /// See [`Source::attempt`].
    #[inline]
    pub(super) fn attempt<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.attempt(interest, operation)
    }

    /// Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
    pub(super) fn end(&self, fd: BorrowedFd<'_>) {
        self.reactor.remove(fd, self.token);
    }
}
