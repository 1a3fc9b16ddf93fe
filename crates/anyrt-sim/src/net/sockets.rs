//! The network of a node, as the traits have it.

use std::io;
use std::net::SocketAddr;

use anyrt_core::net::Net;

use super::resolve::resolve;
use super::{TcpListener, TcpStream, UdpSocket};
use crate::runtime::SimRuntime;

impl Net for SimRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(self, address)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(self, address)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve(self, &host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(self, address).await
    }
}
