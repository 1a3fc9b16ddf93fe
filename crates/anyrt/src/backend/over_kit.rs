//! The items of a backend module, for a runtime whose tasks are those of anyrt's own task layer.

/// Generates the items of a backend's module from the crate's handle, sockets, descriptors and
/// timers. `$opened` is the crate's function for a file with an unshared cursor. The last word
/// determines when an application is inside such a runtime without anyrt having entered it.
macro_rules! over_kit {
    ($krate:ident::$Handle:ident, $opened:ident, $found:ident) => {
        pub(crate) use $krate::runtime::Runtime;
        pub(crate) use $krate::{$Handle as Handle, KIND};

        pub(crate) use crate::backend::shared::channel;
        #[allow(unused_imports, reason = "those of the first enabled backend are used")]
        pub(crate) use crate::backend::shared::local_set;
        over_kit!(@signal $krate $found);

        pub(crate) type EnterGuard<'a> = anyrt_core::context::SlotGuard<Handle>;

        pub(crate) fn is_in_application() -> bool {
            over_kit!(@ $found)
        }

        pub(crate) fn make_default(handle: &Handle) -> bool {
            handle.make_default().is_ok()
        }

        pub(crate) fn enter_default(_: &Handle) {
            // `with_current` finds it already.
        }

        pub(crate) mod task {
            use super::Handle;
            use crate::backend::{entered, in_local_set};
            use crate::task::coop::lifted;
            use anyrt_core::task::{LocalSpawner, Spawner};
            use anyrt_core::{Blocking, boxed_if_large};
            use std::future::Future;

            pub(crate) use crate::task::coop::budgeted;
            pub(crate) use crate::backend::shared::task::{AbortHandle, JoinHandle, poll_join, try_id};

            beside_tokio! {
                #[track_caller]
                pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
                where
                    F: Future + Send + 'static,
                    F::Output: Send + 'static,
                {
                    boxed_if_large!(future: F = Box::pin(future) =>
                        over_kit!(@current $found rt => rt.spawn(budgeted(future))))
                }
            }

            #[track_caller]
            pub(crate) fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
            where
                F: Future + 'static,
                F::Output: 'static,
            {
                boxed_if_large!(future: F = Box::pin(future) =>
                    over_kit!(@current $found rt => rt.spawn_local(budgeted(future))))
            }

            #[track_caller]
            pub(crate) fn spawn_blocking<F, T>(job: F) -> JoinHandle<T>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                boxed_if_large!(job: F = Box::new(job) =>
                    over_kit!(@current $found rt => rt.spawn_blocking(job)))
            }

            #[track_caller]
            pub(crate) fn block_in_place<T>(job: impl FnOnce() -> T) -> T {
                if in_local_set() {
                    panic!("{}", anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE);
                }
                entered(Handle::try_current()).block_in_place(|| lifted(job))
            }
        }

        pub(crate) mod join_set {
            use super::{Handle, task};
            use crate::backend::shared::task::{AbortHandle, JoinHandle};
            use anyrt_core::Blocking;
            use anyrt_core::task::Spawner;
            use std::future::Future;

            pub(crate) type JoinSet<T> = anyrt_core::JoinSet<T, JoinHandle<T>>;

            #[track_caller]
            pub(crate) fn spawn<T, F>(set: &mut JoinSet<T>, future: F) -> AbortHandle
            where
                F: Future<Output = T> + Send + 'static,
                T: Send + 'static,
            {
                set.insert(task::spawn(future))
            }

            #[track_caller]
            pub(crate) fn spawn_on<T, F>(set: &mut JoinSet<T>, handle: &Handle, future: F) -> AbortHandle
            where
                F: Future<Output = T> + Send + 'static,
                T: Send + 'static,
            {
                set.insert(handle.spawn(task::budgeted(future)))
            }

            #[track_caller]
            pub(crate) fn spawn_blocking<T, F>(set: &mut JoinSet<T>, job: F) -> AbortHandle
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                set.insert(task::spawn_blocking(job))
            }

            #[track_caller]
            pub(crate) fn spawn_blocking_on<T, F>(set: &mut JoinSet<T>, handle: &Handle, job: F) -> AbortHandle
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                set.insert(handle.spawn_blocking(job))
            }
        }

        pub(crate) mod time {
            use super::Handle;
            use crate::backend::entered;
            use crate::backend::shared::tick::{Step, Ticked, round};
            use anyrt_core::Timer;
            use anyrt_core::time::saturating_add;
            use std::pin::Pin;
            use std::task::{Context, Poll};
            use std::time::{Duration, Instant};

            #[allow(unused_imports, reason = "that of the first enabled backend is used")]
            pub(crate) use crate::backend::shared::time::now;
            use $krate::time::{ByClock, ClockKeeper, Keeper};

            pub(crate) type Sleep = Ticked<$krate::time::Sleep>;

            pub(crate) type Interval = anyrt_core::time::Interval<Ticking>;

            /// The timers of a runtime, as created by the functions of [`time`](crate::time).
            #[derive(Clone)]
            pub(crate) struct Ticking(Handle);

            impl Timer for Ticking {
                type Sleep = Sleep;

                fn now(&self) -> Instant {
                    self.0.now()
                }

                fn sleep_until(&self, deadline: Instant) -> Sleep {
                    ticking(&self.0, deadline)
                }
            }

            fn ticking(rt: &Handle, deadline: Instant) -> Sleep {
                // A clock that can be paused has its own ticks, which may have another origin.
                let step = match rt.clock() {
                    Some(_) => Step::OfTheRuntime,
                    None => Step::Millisecond,
                };
                Ticked::new(rt, deadline, step)
            }

            // Most durations are constants, and so is what they are rounded to if only that is
            // inline.
            #[inline]
            #[track_caller]
            pub(crate) fn sleep(duration: Duration) -> Sleep {
                let (rounded, late) = round(duration);
                sleep_rounded(rounded, late)
            }

            pub(crate) use sleep as limit;

            beside_tokio! {
                #[track_caller]
                fn sleep_rounded(rounded: Duration, late: u32) -> Sleep {
                    let keeper = match Handle::entered_keeper() {
                        Some(keeper) => keeper,
                        // On a runtime that anyrt did not enter, or whose clock can be paused. Both
                        // functions return in registers, or no timer could be built in its place.
                        None => {
                            let due = due_by_clock(rounded, late);
                            match keeper_elsewhere() {
                                Ok(keeper) => keeper,
                                Err(keeper) => return Ticked::exact(ByClock::new(keeper, due).into()),
                            }
                        }
                    };
                    let due = saturating_add(keeper.now(), rounded);
                    Ticked::rounded(keeper.into_sleep(due), late)
                }
            }

            #[cold]
            #[inline(never)]
            #[track_caller]
            fn keeper_elsewhere() -> Result<Keeper, ClockKeeper> {
                entered(Handle::try_current()).keeper()
            }

            /// The deadline by a clock that can be paused, which rounds by itself.
            #[cold]
            #[inline(never)]
            #[track_caller]
            fn due_by_clock(rounded: Duration, late: u32) -> Instant {
                let duration = rounded - Duration::from_nanos(late.into());
                saturating_add(entered(Handle::try_current()).now(), duration)
            }

            beside_tokio! {
                #[track_caller]
                pub(crate) fn sleep_until(deadline: Instant) -> Sleep {
                    entered(Handle::with_current(|rt| ticking(rt, deadline)))
                }
            }

            pub(crate) fn sleep_on(handle: &Handle, deadline: Instant) -> Sleep {
                Ticked::new(handle, deadline, Step::OfTheRuntime)
            }

            pub(crate) fn renew(_: &Handle, sleep: Pin<&mut Sleep>, deadline: Instant) {
                anyrt_core::time::Sleep::reset(sleep, deadline);
            }

            beside_tokio! {
                pub(crate) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
                    std::future::Future::poll(sleep, cx)
                }
            }

            #[track_caller]
            pub(crate) fn interval_at(start: Instant, period: Duration) -> Interval {
                Ticking(entered(Handle::try_current())).interval_at(start, period)
            }

            #[cfg(feature = "test-util")]
            mod clock {
                use super::super::Handle;
                use crate::backend::entered;
                use crate::backend::shared::time as shared;
                use std::time::Duration;

                #[track_caller]
                pub(crate) fn pause() {
                    shared::pause(entered(Handle::with_current(|rt| rt.clock().cloned())));
                }

                #[track_caller]
                pub(crate) fn resume() {
                    shared::resume(entered(Handle::with_current(|rt| rt.clock().cloned())));
                }

                pub(crate) async fn advance(duration: Duration) {
                    let clock = entered(Handle::with_current(|rt| rt.clock().cloned()));
                    shared::advance(clock, duration);
                    // This task is queued behind the woken tasks, even if tasks run on another
                    // thread.
                    let _ = super::super::task::spawn(async {}).await;
                }
            }
            #[cfg(feature = "test-util")]
            pub(crate) use clock::{advance, pause, resume};
        }

        pub(crate) mod net {
            use super::Handle;
            use crate::backend::entered;
            use anyrt_core::Net;
            use std::io;
            use std::net::SocketAddr;

            pub(crate) use crate::backend::shared::net::*;
            pub(crate) use $krate::net::{TcpListener, TcpStream, UdpSocket};

            pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
                let rt = entered(Handle::try_current());
                rt.connect_tcp_addr(address).await
            }
        }

        #[cfg(unix)]
        pub(crate) mod readiness {
            pub(crate) use $krate::readiness::AsyncFd;

            pub(crate) type Event<'a, T> = <AsyncFd<T> as anyrt_core::readiness::AsyncFd<T>>::Event<'a>;
        }

        #[cfg(feature = "fs")]
        pub(crate) mod fs {
            pub(crate) use crate::backend::shared::fs::{fmt, poll_read};
            pub(crate) use $krate::fs::{File, from_std, $opened as opened};
        }
    };
    (@ when_found) => {
        Handle::of_application().is_some()
    };
    (@ never) => { false };
    (@ simulated) => { false };
    (@ when_current) => { Handle::try_current().is_some() };
    // In a closure the place that calls `spawn`, which reports of a simulation name, would be lost.
    (@current simulated $rt:ident => $spawn:expr) => {{
        let $rt = entered(Handle::try_current());
        $spawn
    }};
    (@current $found:ident $rt:ident => $spawn:expr) => {
        entered(Handle::with_current(|$rt| $spawn))
    };
    (@signal $krate:ident simulated) => {
        #[cfg(all(unix, feature = "signal"))]
        pub(crate) use $krate::signal;
    };
    (@signal $krate:ident $found:ident) => {
        #[cfg(all(unix, feature = "signal"))]
        pub(crate) use crate::backend::shared::signal;
    };
}
