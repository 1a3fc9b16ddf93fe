//! UDP, by direct system calls once the socket is ready.

use std::io;
use std::net::{self as std_net, SocketAddr};

use anyrt_core::net;

use super::calls;
use super::socket::{Poller, Socket};
use crate::readiness::{READ, WRITE, Watched, run};

/// Converts into a socket that sends and receives datagrams.
pub type UdpSocket<P> = Socket<P, std_net::UdpSocket>;

impl<P: Poller> net::UdpSocket for UdpSocket<P> {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let send = |socket: &std_net::UdpSocket| calls::send_to(socket, buf, target);
        run(&self.io, WRITE, send).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = |socket: &std_net::UdpSocket| calls::recv_from(socket, buf);
        run(&self.io, READ, receive).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        // No datagram is sent, so there is nothing to wait for.
        self.io.get_ref().connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = |socket: &std_net::UdpSocket| calls::send_connected(socket, buf);
        run(&self.io, WRITE, send).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let receive = |socket: &std_net::UdpSocket| calls::recv_connected(socket, buf);
        run(&self.io, READ, receive).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }
}
