//! For runtime authors: binding sockets of the operating system, and its name resolution. The
//! options are the same for all runtimes.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::blocking::Blocking;

/// The maximum number of connections that wait to be accepted, the same as Tokio's.
pub const LISTEN_BACKLOG: i32 = 1024;

/// Creates a listening socket in non-blocking mode, as required by
/// [`Net::bind_tcp_addr`](super::Net::bind_tcp_addr).
///
/// # Errors
/// Fails if the system's `bind` or `listen` does.
pub fn tcp_listener(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // On Windows the option means that a port in use may be taken over.
    if !cfg!(windows) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// Creates a bound UDP socket in non-blocking mode.
///
/// # Errors
/// Fails if the system's `bind` does.
pub fn udp_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Resolves a name with the system's resolver, on the blocking thread pool of `rt`.
///
/// # Errors
/// Fails if the name cannot be resolved.
///
/// # Cancel safety
/// Cancel-safe: if the future is dropped, the result of the lookup is discarded.
pub async fn resolve<R: Blocking>(rt: &R, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    rt.spawn_blocking(move || (host, port).to_socket_addrs())
        .await?
        .map(Iterator::collect)
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
