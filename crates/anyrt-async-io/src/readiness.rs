//! Sockets and other descriptors with their readiness.
//!
//! On Linux and Android the epoll of the runtime watches them, elsewhere the reactor of async-io alone. `--cfg anyrt_portable`
//! in `RUSTFLAGS` chooses the latter on Linux as well, so that it is tested there.
//!
//! # What differs where there is no epoll
//! - A descriptor, and a socket whose readiness somebody asked for, takes a second descriptor: its duplicate.
//! - Readiness that was cleared although it was there is told again; an edge-triggered epoll tells of it when more comes.
//! - Out-of-band data is told by Linux and Android alone, as on Tokio.

#[cfg(unix)]
mod async_fd;
#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(anyrt_portable)),
    path = "readiness/socket.rs"
)]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(anyrt_portable))),
    path = "readiness/portable_socket.rs"
)]
mod socket;
#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(anyrt_portable)),
    path = "readiness/epoll.rs"
)]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(anyrt_portable))),
    path = "readiness/portable.rs"
)]
mod watch;

#[cfg(unix)]
pub use async_fd::AsyncFd;
pub use socket::Socket;
