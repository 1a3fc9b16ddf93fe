//! Descriptors of the system that tasks may wait for: Unix sockets and pipes with both ends in the
//! simulation.
//!
//! They are real, so every call and every errno is Linux's own. They are also deterministic: one
//! thread runs at a time, and the kernel executes each call immediately. Only the time at which a
//! waiting task is woken is not: after each poll the simulator asks its epoll for new events, and
//! plans the wake-up for a virtual time that the seed draws, as for a packet on the loopback.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_kit::readiness::{Source, Sources};
use rustix::event::{Timespec, epoll};

/// The watched descriptors of a world.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    /// Created with the first descriptor: most simulations have none.
    epoll: Option<OwnedFd>,
    pub(super) sources: Sources,
}

/// The maximum number of events taken per call.
const BATCH: usize = 64;
const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

impl Descriptors {
    /// Watches `fd`. Returns the token of its events.
    pub(crate) fn add(
        &mut self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        source: &Arc<Source>,
    ) -> io::Result<u64> {
        let epoll = match &mut self.epoll {
            Some(epoll) => epoll,
            none => none.insert(epoll::create(epoll::CreateFlags::CLOEXEC)?),
        };
        self.sources.add(source, |token| {
            let flags = epoll::EventFlags::from_bits_retain(interest.epoll_flags());
            Ok(epoll::add(
                epoll,
                fd,
                epoll::EventData::new_u64(token),
                flags,
            )?)
        })
    }

    pub(super) fn remove(&mut self, fd: BorrowedFd<'_>, token: u64) -> Option<Arc<Source>> {
        if let Some(epoll) = &self.epoll {
            // Fails only if the descriptor is not registered, which is the intended state.
            let _ = epoll::delete(epoll, fd);
        }
        self.sources.remove(token)
    }

    pub(crate) fn is_watching(&self) -> bool {
        !self.sources.is_empty()
    }

    pub(super) fn end(&mut self, woken: &mut Vec<Waker>) {
        self.sources.end(woken);
    }

    /// Returns the tokens that became ready since the last call, sorted: the order in which the
    /// kernel reports them does not matter.
    pub(super) fn take_events(&mut self) -> Vec<(u64, Ready)> {
        let Some(epoll) = self.epoll.as_ref().filter(|_| !self.sources.is_empty()) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        // Fails on a signal only; then the next call sees the events.
        while let Ok((events, _)) = epoll::wait(epoll, &mut events, Some(&NOW)) {
            taken.extend(events.iter().map(|event| {
                let flags = event.flags;
                (event.data.u64(), Ready::from_epoll(flags.bits()))
            }));
            if events.len() < BATCH {
                break;
            }
        }
        taken.sort_unstable_by_key(|&(token, _)| token);
        taken
    }
}
