//! Sockets: std's, made asynchronous by the reactor.

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;

use crate::runtime::{Handle, Host};

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

impl<H: Host> Net for Handle<H> {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}
