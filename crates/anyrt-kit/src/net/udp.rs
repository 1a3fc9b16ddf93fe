//! UDP, by direct system calls once the socket is ready.

use std::io;
use std::net::{self as std_net, SocketAddr};

use anyrt_core::net;

use super::socket::{Poller, Socket};
use crate::readiness::{READ, WRITE, Watched, run};

/// Converts into a socket that sends and receives datagrams.
pub type UdpSocket<P> = Socket<P, std_net::UdpSocket>;

impl<P: Poller> net::UdpSocket for UdpSocket<P> {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        run(&self.io, WRITE, |socket| socket.send_to(buf, target)).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        run(&self.io, READ, |socket| socket.recv_from(buf)).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        // No datagram is sent, so there is nothing to wait for.
        self.io.get_ref().connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        run(&self.io, WRITE, |socket| socket.send(buf)).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        run(&self.io, READ, |socket| socket.recv(buf)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }
}
