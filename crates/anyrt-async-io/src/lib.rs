//! What the Smol and async-std backends of anyrt share: a runtime whose workers wait in an epoll of their own, beside
//! [`async_io`], the reactor of both.
//!
//! A backend says how a thread waits ([`anyrt_kit::executor::Host`]) and is done; sockets, timers, files, handle
//! and owner are here. Sockets work on every thread, inside a runtime or not: where no worker turns their
//! [`Reactor`](reactor::Reactor), the thread of async-io does. That thread also drives what is async-io's own.
//!
//! That is on Linux and Android. Elsewhere, and with `--cfg anyrt_portable`, the threads wait in async-io; see
//! [`readiness`] for what that changes.
#![forbid(unsafe_code)]

pub mod fs;
pub mod net;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(anyrt_portable)))]
mod park;
#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(anyrt_portable)),
    path = "reactor/epoll.rs"
)]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(anyrt_portable))),
    path = "reactor/portable.rs"
)]
pub mod reactor;
pub mod readiness;
pub mod runtime;
pub mod task;
pub mod time;
