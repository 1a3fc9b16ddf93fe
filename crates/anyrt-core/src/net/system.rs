//! For runtime authors: how sockets of the operating system are bound, and how it resolves names. The same options
//! whatever the runtime.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::blocking::Blocking;

/// How many connections wait to be accepted; Tokio's number.
pub const LISTEN_BACKLOG: i32 = 1024;

/// Returns a listening, non-blocking socket, as [`Net::bind_tcp_addr`](super::Net::bind_tcp_addr) promises it.
///
/// # Errors
/// As the system's `bind` and `listen`.
pub fn tcp_listener(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // On Windows the option means another thing: that a live port may be taken over.
    if !cfg!(windows) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// Returns a bound, non-blocking datagram socket.
///
/// # Errors
/// As the system's `bind`.
pub fn udp_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Resolves a name by the system's resolver, on a blocking thread of `rt`.
///
/// # Errors
/// As the system's resolver.
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
