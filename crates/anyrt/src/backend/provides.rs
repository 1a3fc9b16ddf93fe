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

/// Checks the type of each function of a backend that is not generic, or whose types can be named.
macro_rules! check_functions {
    ($($function:path: $type:ty;)*) => {
        const _: ($($type,)*) = ($($function,)*);
    };
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

            type Unit<T> = fn(T) -> m::task::JoinHandle<()>;
            type Joined = Poll<Result<(), JoinError>>;
            type Accepted = Poll<io::Result<(m::net::TcpStream, SocketAddr)>>;
            check_functions! {
                m::is_in_application: fn() -> bool;
                m::make_default: fn(&m::Handle) -> bool;
                m::enter_default: fn(&m::Handle);
                m::task::spawn: Unit<Ready<()>>;
                m::task::spawn_local: Unit<Ready<()>>;
                m::task::spawn_blocking: Unit<fn()>;
                m::task::block_in_place: fn(fn());
                m::task::poll_join: fn(&mut m::task::JoinHandle<()>, &mut Context<'_>) -> Joined;
                m::task::try_id: fn() -> Option<anyrt_core::task::Id>;
                m::join_set::spawn: fn(&mut m::join_set::JoinSet<()>, Ready<()>) -> m::task::AbortHandle;
                m::time::sleep: fn(Duration) -> m::time::Sleep;
                m::time::sleep_until: fn(Instant) -> m::time::Sleep;
                m::time::sleep_on: fn(&m::Handle, Instant) -> m::time::Sleep;
                m::time::renew: fn(&m::Handle, Pin<&mut m::time::Sleep>, Instant);
                m::time::poll_sleep: fn(Pin<&mut m::time::Sleep>, &mut Context<'_>) -> Poll<()>;
                m::time::interval_at: fn(Instant, Duration) -> m::time::Interval;
                m::time::now: fn() -> Instant;
                m::net::TcpListener::poll_accept: fn(&m::net::TcpListener, &mut Context<'_>) -> Accepted;
            }
        };
    )*};
}
enabled!(check_provided!());
