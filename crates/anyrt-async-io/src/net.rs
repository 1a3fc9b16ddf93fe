//! Sockets: std's, made asynchronous by the reactor.

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;
use async_io::Async;

use crate::runtime::{Handle, Host};

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

impl<H: Host> Net for Handle<H> {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        Async::new_nonblocking(listener).map(TcpListener::new)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Async::new_nonblocking(stream).map(TcpStream::new)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        Async::new_nonblocking(socket).map(UdpSocket::new)
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        Async::<std::net::TcpStream>::connect(address)
            .await
            .map(TcpStream::new)
    }
}
