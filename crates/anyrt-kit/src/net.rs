//! Sockets over a poller: TCP, its halves, and UDP, for runtimes that use the sockets of the
//! operating system.
//!
//! A backend provides a [`Poller`] and gets [`TcpListener`], [`TcpStream`] and [`UdpSocket`] with
//! the whole contract of `anyrt-core`. Operations are direct system calls once the socket is marked
//! as ready.

mod calls;
mod shared;
mod socket;
mod tcp;
mod udp;

pub use socket::{Origin, Poller, Socket, System};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
