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
            use super::task::{self, AbortHandle, JoinHandle};
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
            pub(crate) fn spawn_blocking<T, F>(set: &mut JoinSet<T>, job: F) -> AbortHandle
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                set.insert(task::spawn_blocking(job))
            }
        }

        pub(crate) mod time {
            use super::Handle;
            use crate::backend::entered;
            use anyrt_core::Timer;
            use anyrt_kit::time::ticked::{self, Lookup, Ticked, Ticking};
            use std::pin::Pin;
            use std::task::{Context, Poll};
            use std::time::{Duration, Instant};

            #[allow(unused_imports, reason = "that of the first enabled backend is used")]
            pub(crate) use crate::backend::shared::time::now;

            pub(crate) type Sleep = Ticked<<Handle as Timer>::Sleep>;

            pub(crate) type Interval = anyrt_core::time::Interval<Ticking<Handle>>;

            struct Here;

            impl Lookup for Here {
                type Runtime = Handle;

                #[track_caller]
                fn current() -> Handle {
                    entered(Handle::try_current())
                }
            }

            #[inline]
            #[track_caller]
            pub(crate) fn sleep(duration: Duration) -> Sleep {
                let (rounded, late) = ticked::round(duration);
                sleep_rounded(rounded, late)
            }

            pub(crate) use sleep as limit;

            beside_tokio! {
                #[track_caller]
                fn sleep_rounded(rounded: Duration, late: u32) -> Sleep {
                    ticked::sleep_rounded::<Here>(rounded, late)
                }
            }

            beside_tokio! {
                #[track_caller]
                pub(crate) fn sleep_until(deadline: Instant) -> Sleep {
                    entered(Handle::with_current(|rt| Ticked::at(rt, deadline)))
                }
            }

            pub(crate) fn sleep_on(handle: &Handle, deadline: Instant) -> Sleep {
                Ticked::exact(handle.sleep_until(deadline))
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
                use super::{Duration, Handle, entered};
                use anyrt_kit::time::ticked::Clocked;
                use crate::backend::shared::time::expect;

                #[track_caller]
                pub(crate) fn pause() {
                    expect(entered(Handle::with_current(Clocked::pause)));
                }

                #[track_caller]
                pub(crate) fn resume() {
                    expect(entered(Handle::with_current(Clocked::resume)));
                }

                pub(crate) async fn advance(duration: Duration) {
                    expect(entered(Handle::with_current(|rt| rt.advance(duration))));
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
