//! Binds threads to cores, without binding the threads and processes that they start.
//!
//! A new thread or process inherits the cores of the thread that starts it. A worker that is bound
//! to one core would therefore bind every blocking thread and every child process to that core.

use std::io;
use std::thread::JoinHandle;

use anyrt_core::runtime::Config;

/// Binds this thread to core number `index` of those that it may run on, modulo their number.
///
/// # Errors
/// Fails if the system call does.
pub fn bind(index: usize) -> io::Result<()> {
    system::bind(index)
}

/// Runs `start`, which starts a thread or a process, with the cores that this thread had before
/// [`bind`].
///
/// Costs nothing on a thread that is not bound.
pub fn unbound<T>(start: impl FnOnce() -> T) -> T {
    let _rebound = system::unbind();
    start()
}

/// Starts a thread as configured, [unbound]. It must call
/// [`ThreadHooks::enter`](anyrt_core::runtime::ThreadHooks::enter) itself.
///
/// # Errors
/// Fails if the system provides no thread.
// Boxed: each type of `body` would be another copy of std's function.
pub fn start_thread(
    config: &Config,
    default_name: &str,
    body: Box<dyn FnOnce() + Send>,
) -> io::Result<JoinHandle<()>> {
    unbound(|| config.thread(default_name).spawn(body))
}

/// Returns the cores that this thread is bound to, for a thread that replaces it. `None` if
/// [`bind`] was not called.
pub fn bound() -> Option<Bound> {
    system::bound()
}

pub use system::Bound;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::cell::Cell;
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    thread_local! {
        /// The cores that the thread could run on before it was bound.
        static BEFORE: Cell<Option<CpuSet>> = const { Cell::new(None) };
    }

    pub(super) fn bind(index: usize) -> io::Result<()> {
        let allowed = match BEFORE.get() {
            Some(allowed) => allowed,
            None => sched_getaffinity(None)?,
        };
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|core| allowed.is_set(*core))
            .collect();
        let mut one = CpuSet::new();
        if let Some(core) = cores.get(index % cores.len().max(1)) {
            one.set(*core);
        }
        sched_setaffinity(None, &one)?;
        BEFORE.set(Some(allowed));
        Ok(())
    }

    /// The cores of a bound thread.
    #[derive(Debug)]
    pub struct Bound(CpuSet);

    pub(super) fn bound() -> Option<Bound> {
        BEFORE.get()?;
        sched_getaffinity(None).ok().map(Bound)
    }

    impl Bound {
        /// Binds this thread as well until the guard is dropped. Has no effect if the system call
        /// fails.
        pub fn share(&self) -> Option<Unbind> {
            let outer = BEFORE.get();
            let now = sched_getaffinity(None).ok()?;
            sched_setaffinity(None, &self.0).ok()?;
            BEFORE.set(outer.or(Some(now)));
            Some(Unbind { now, outer })
        }
    }

    /// Restores the previous cores of the thread on drop.
    #[derive(Debug)]
    #[must_use = "the thread is unbound when this is dropped"]
    pub struct Unbind {
        now: CpuSet,
        outer: Option<CpuSet>,
    }

    impl Drop for Unbind {
        fn drop(&mut self) {
            // It was allowed before; if it is not any more, the thread stays as it is.
            let _ = sched_setaffinity(None, &self.now);
            BEFORE.set(self.outer);
        }
    }

    /// Binds the thread again on drop.
    pub(super) struct Rebound(CpuSet);

    impl Drop for Rebound {
        fn drop(&mut self) {
            // It was allowed before; if it is not any more, the thread stays as it is.
            let _ = sched_setaffinity(None, &self.0);
        }
    }

    pub(super) fn unbind() -> Option<Rebound> {
        let before = BEFORE.get()?;
        let bound = sched_getaffinity(None).ok()?;
        sched_setaffinity(None, &before).ok()?;
        Some(Rebound(bound))
    }
}

/// For systems on which new threads and processes do not inherit the cores.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::io;

    pub(super) fn bind(index: usize) -> io::Result<()> {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        if !cores.is_empty() && core_affinity::set_for_current(cores[index % cores.len()]) {
            Ok(())
        } else {
            Err(io::Error::other(
                "the system does not bind threads to cores",
            ))
        }
    }

    pub(super) fn unbind() {}

    /// Uninhabited: the cores of a thread are not available here.
    #[derive(Debug)]
    pub enum Bound {}

    pub(super) fn bound() -> Option<Bound> {
        None
    }

    impl Bound {
        /// Never called.
        pub fn share(&self) {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::thread::sched_getaffinity;

    use super::*;

    #[test]
    fn what_a_bound_thread_starts_is_not_bound() {
        let cores = || sched_getaffinity(None).unwrap().count();
        let all = cores();
        std::thread::spawn(move || {
            assert_eq!(unbound(cores), all, "nothing to undo");
            bind(1).unwrap();
            assert_eq!(cores(), 1);
            let by_itself = std::thread::spawn(cores).join().unwrap();
            assert_eq!(by_itself, 1, "a thread takes over the cores of its parent");
            let started = unbound(|| std::thread::spawn(cores));
            assert_eq!(started.join().unwrap(), all);
            assert_eq!(cores(), 1, "bound again");
            let mine = bound().unwrap();
            let stand_in = unbound(|| {
                std::thread::spawn(move || {
                    let shared = mine.share();
                    let meanwhile = (cores(), unbound(cores));
                    drop(shared);
                    (meanwhile, cores(), bound().is_none())
                })
            });
            assert_eq!(stand_in.join().unwrap(), ((1, all), all, true));
        })
        .join()
        .unwrap();
    }
}
