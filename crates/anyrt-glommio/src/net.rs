//! Sockets: std's, non-blocking, with the readiness of [`crate::reactor`].

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;

use crate::runtime::GlommioRuntime;

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

impl Net for GlommioRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener::new(self, listener))
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream::new(self, stream))
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket::new(self, socket))
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(self, address).await
    }
}
