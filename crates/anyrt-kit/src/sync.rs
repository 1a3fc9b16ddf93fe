//! Locks, atomics and threads for the protocols that are synchronised by hand: from std, or from
//! loom in the models (`scripts/check loom`). So the shipped code is the
//! modelled code.
//!
//! `Arc` stays std's: no protocol rests on a reference count.

pub use std::sync::PoisonError;
pub use std::sync::atomic::Ordering;

#[cfg(anyrt_loom)]
pub use model::*;
#[cfg(not(anyrt_loom))]
pub use real::*;

#[cfg(not(anyrt_loom))]
mod real {
    pub use atomic_waker::AtomicWaker;
    pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence};
    pub use std::sync::{Condvar, Mutex, MutexGuard};
    pub use std::thread::{AccessError, JoinHandle, ThreadId, current, yield_now};
    pub use std::thread_local as per_thread;

    pub use crate::affinity::start_thread;
}

#[cfg(anyrt_loom)]
mod model {
    use std::io;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::AtomicUsize as PlainUsize;
    use std::sync::{Arc, LockResult};
    use std::task::Waker;
    use std::time::Duration;

    use anyrt_core::runtime::Config;

    use super::{Ordering, PoisonError};

    pub use crate::per_thread;
    pub use loom::sync::atomic::fence;
    pub use loom::thread::{AccessError, JoinHandle, ThreadId, current, yield_now};

    /// Runs `execution` in every interleaving with at most `preemptions`, and prints their number.
    pub fn model(name: &str, preemptions: usize, execution: impl Fn() + Send + Sync + 'static) {
        let executions = Arc::new(PlainUsize::new(0));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.max_branches = 10_000;
        builder.check({
            let executions = Arc::clone(&executions);
            move || {
                executions.fetch_add(1, Ordering::SeqCst);
                execution();
            }
        });
        let executions = executions.load(Ordering::SeqCst);
        println!("{name}: {executions} executions, at most {preemptions} preemptions");
        assert!(executions > 1, "the threads never meet");
    }

    /// All threads of loom run on one thread of the system.
    #[macro_export]
    macro_rules! per_thread {
        ($(#[$attribute:meta])* static $name:ident: $type:ty = const $value:block;) => {
            loom::thread_local! { $(#[$attribute])* static $name: $type = $value; }
        };
    }

    pub fn start_thread(
        _: &Config,
        _: &str,
        body: Box<dyn FnOnce() + Send>,
    ) -> io::Result<JoinHandle<()>> {
        Ok(loom::thread::spawn(body))
    }

    /// loom treats a sequentially consistent access as acquire and release, but models sequentially
    /// consistent fences.
    fn ordered<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
        if order != Ordering::SeqCst {
            return access();
        }
        fence(Ordering::SeqCst);
        let value = access();
        fence(Ordering::SeqCst);
        value
    }

    macro_rules! atomic {
        ($($name:ident $value:ty;)*) => {$(
            #[derive(Debug, Default)]
            pub struct $name(loom::sync::atomic::$name);

            #[allow(dead_code, reason = "each type has the methods of all")]
            impl $name {
                pub fn new(value: $value) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                pub fn load(&self, order: Ordering) -> $value {
                    ordered(order, || self.0.load(order))
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    ordered(order, || self.0.store(value, order));
                }

                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    ordered(order, || self.0.swap(value, order))
                }

                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    ordered(success, || self.0.compare_exchange(current, new, success, failure))
                }

                pub fn fetch_update(
                    &self,
                    set: Ordering,
                    fetch: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    ordered(set, || self.0.fetch_update(set, fetch, update))
                }
            }
        )*};
    }

    atomic! {
        AtomicBool bool;
        AtomicU8 u8;
        AtomicU32 u32;
        AtomicU64 u64;
        AtomicUsize usize;
    }

    impl AtomicU64 {
        pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            ordered(order, || self.0.fetch_add(value, order))
        }
    }

    impl AtomicUsize {
        pub fn fetch_add(&self, value: usize, order: Ordering) -> usize {
            ordered(order, || self.0.fetch_add(value, order))
        }

        pub fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
            ordered(order, || self.0.fetch_sub(value, order))
        }

        pub fn fetch_or(&self, value: usize, order: Ordering) -> usize {
            ordered(order, || self.0.fetch_or(value, order))
        }
    }

    /// Like atomic-waker's: a task that registers after a wake-up has taken the waker sees the
    /// writes before that wake-up.
    #[derive(Debug)]
    pub struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub fn register(&self, waker: &Waker) {
            let waker = waker.clone();
            let former = self.lock().replace(waker);
            drop(former);
        }

        pub fn take(&self) -> Option<Waker> {
            self.lock().take()
        }

        pub fn wake(&self) {
            if let Some(waker) = self.take() {
                waker.wake();
            }
        }

        fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// loom's, with a guard that knows its lock, for waits with a timeout.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    #[derive(Debug)]
    pub struct MutexGuard<'a, T> {
        lock: &'a Mutex<T>,
        guard: loom::sync::MutexGuard<'a, T>,
    }

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            Ok(MutexGuard {
                lock: self,
                guard: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            })
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    /// loom's. A wait with a timeout of zero may end at any time, like a real one.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    #[derive(Debug)]
    pub struct TimedOut(bool);

    impl TimedOut {
        pub fn timed_out(&self) -> bool {
            self.0
        }
    }

    impl Default for Condvar {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Condvar {
        pub fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
            let MutexGuard { lock, guard } = guard;
            let guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
            Ok(MutexGuard { lock, guard })
        }

        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            timeout: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, TimedOut)> {
            if !timeout.is_zero() {
                let guard = self.wait(guard).unwrap_or_else(PoisonError::into_inner);
                return Ok((guard, TimedOut(false)));
            }
            // A wake-up in the meantime is lost, like one that reaches a thread while its wait
            // times out.
            let lock = guard.lock;
            drop(guard);
            yield_now();
            let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
            Ok((guard, TimedOut(true)))
        }
    }
}
