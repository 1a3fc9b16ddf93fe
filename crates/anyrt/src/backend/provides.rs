//! The required items of a backend's module: the types with their bounds, and the functions by
//! name. It is compiled for each enabled backend, so a missing item is a compile error that names
//! it.
#![allow(
    clippy::type_complexity,
    reason = "a function stands here with its whole signature"
)]

use std::future::Ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyrt_core::error::JoinError;
use anyrt_core::net::{DatagramNow, FromStd, SocketOptions, StreamNow};
use anyrt_core::runtime::{Metrics, Owner};
use anyrt_core::{AbortHandle, JoinHandle, TcpListener, TcpStream, UdpSocket, channel, time};

/// The types of a backend that the facade requires.
#[allow(dead_code, reason = "the compiler reads it")]
pub(crate) trait Provides {
    /// `m::Handle`: a handle to the runtime.
    type Handle: anyrt_core::Runtime + FromStd + Metrics;
    /// `m::Runtime`: owns a runtime.
    type Runtime: Owner<Handle = Self::Handle>;
    /// `m::task::JoinHandle<T>`, also of local tasks and blocking jobs.
    type JoinHandle<T: Send + 'static>: JoinHandle<T, AbortHandle = Self::AbortHandle>;
    /// `m::task::AbortHandle`.
    type AbortHandle: AbortHandle;
    /// `m::channel::Sender<T>` and the other ends, created by `m::Handle`.
    type Sender<T: Send + 'static>: channel::Sender<T>;
    type Receiver<T: Send + 'static>: channel::Receiver<T>;
    type UnboundedSender<T: Send + 'static>: channel::UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static>: channel::Receiver<T>;
    /// `m::time::Sleep`.
    type Sleep: time::Sleep;
    /// `m::net::TcpListener` and the other sockets, created by `m::Handle`.
    type TcpListener: TcpListener<Stream = Self::TcpStream> + SocketOptions;
    type TcpStream: TcpStream + StreamNow;
    type UdpSocket: UdpSocket + DatagramNow;
    /// `m::join_set::JoinSet<T>`: the cheapest set for tasks of this kind of runtime.
    type JoinSet<T: Send + 'static>: Default;
}

/// The functions of a backend that are not generic, or whose types can be named.
#[allow(dead_code, reason = "the compiler reads it")]
pub(crate) struct Functions<P: Provides, Interval> {
    pub(crate) is_in_application: fn() -> bool,
    pub(crate) make_default: fn(&P::Handle) -> bool,
    pub(crate) enter_default: fn(&P::Handle),
    pub(crate) spawn: fn(Ready<()>) -> P::JoinHandle<()>,
    pub(crate) spawn_local: fn(Ready<()>) -> P::JoinHandle<()>,
    pub(crate) spawn_blocking: fn(fn()) -> P::JoinHandle<()>,
    pub(crate) block_in_place: fn(fn()),
    pub(crate) poll_join:
        fn(&mut P::JoinHandle<()>, &mut Context<'_>) -> Poll<Result<(), JoinError>>,
    pub(crate) try_id: fn() -> Option<anyrt_core::task::Id>,
    pub(crate) insert: fn(&mut P::JoinSet<()>, Ready<()>) -> P::AbortHandle,
    pub(crate) sleep: fn(Duration) -> P::Sleep,
    pub(crate) sleep_until: fn(Instant) -> P::Sleep,
    pub(crate) sleep_on: fn(&P::Handle, Instant) -> P::Sleep,
    pub(crate) renew: fn(&P::Handle, Pin<&mut P::Sleep>, Instant),
    pub(crate) poll_sleep: fn(Pin<&mut P::Sleep>, &mut Context<'_>) -> Poll<()>,
    pub(crate) interval_at: fn(Instant, Duration) -> Interval,
    pub(crate) now: fn() -> Instant,
    pub(crate) poll_accept:
        fn(&P::TcpListener, &mut Context<'_>) -> Poll<io::Result<(P::TcpStream, SocketAddr)>>,
}

macro_rules! check_provided {
    (() $(($Variant:ident $module:ident))*) => {$(
        const _: () = {
            use $crate::backend::$module as m;

            struct Module;

            impl Provides for Module {
                type Handle = m::Handle;
                type Runtime = m::Runtime;
                type JoinHandle<T: Send + 'static> = m::task::JoinHandle<T>;
                type AbortHandle = m::task::AbortHandle;
                type Sender<T: Send + 'static> = m::channel::Sender<T>;
                type Receiver<T: Send + 'static> = m::channel::Receiver<T>;
                type UnboundedSender<T: Send + 'static> = m::channel::UnboundedSender<T>;
                type UnboundedReceiver<T: Send + 'static> = m::channel::UnboundedReceiver<T>;
                type Sleep = m::time::Sleep;
                type TcpListener = m::net::TcpListener;
                type TcpStream = m::net::TcpStream;
                type UdpSocket = m::net::UdpSocket;
                type JoinSet<T: Send + 'static> = m::join_set::JoinSet<T>;
            }

            const _: Functions<Module, m::time::Interval> = Functions {
                is_in_application: m::is_in_application,
                make_default: m::make_default,
                enter_default: m::enter_default,
                spawn: m::task::spawn,
                spawn_local: m::task::spawn_local,
                spawn_blocking: m::task::spawn_blocking,
                block_in_place: m::task::block_in_place,
                poll_join: m::task::poll_join,
                try_id: m::task::try_id,
                insert: m::join_set::spawn,
                sleep: m::time::sleep,
                sleep_until: m::time::sleep_until,
                sleep_on: m::time::sleep_on,
                renew: m::time::renew,
                poll_sleep: m::time::poll_sleep,
                interval_at: m::time::interval_at,
                now: m::time::now,
                poll_accept: m::net::TcpListener::poll_accept,
            };
        };
    )*};
}
enabled!(check_provided!());
