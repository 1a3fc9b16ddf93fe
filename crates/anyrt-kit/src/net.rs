//! Sockets over a poller: TCP, its halves, and UDP, for runtimes whose sockets are the system's.
//!
//! A backend names its [`Poller`] and has [`TcpListener`], [`TcpStream`] and [`UdpSocket`] with all
//! that `anyrt-core` promises of them. Operations are direct system calls, once the socket is known
//! to be ready.

mod socket;
mod tcp;
mod udp;

pub use socket::{Origin, Poller, Socket, System};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
