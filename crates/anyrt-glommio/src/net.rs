//! Sockets: those of [`anyrt_kit::net`], watched by the epolls of the shards.

use std::io;
use std::net::SocketAddr;

use anyrt_core::net::{FromStd, Net, system};
use anyrt_kit::net::{self, Origin, Poller, System};

use crate::handle::GlommioRuntime;
use crate::readiness::{AsyncFd, Watch};

/// A TCP listener. An accepted connection belongs to no shard until its first poll.
pub type TcpListener = net::TcpListener<GlommioRuntime>;
/// A TCP connection. It can also be read and written through `&TcpStream`.
pub type TcpStream = net::TcpStream<GlommioRuntime>;
/// Converts into a socket that sends and receives datagrams.
pub type UdpSocket = net::UdpSocket<GlommioRuntime>;

impl Poller for GlommioRuntime {
    type Home = Self;
    type Watched<T: System> = AsyncFd<T>;

    fn watch<T: System>(home: &Self, socket: T, origin: Origin) -> io::Result<AsyncFd<T>> {
        Ok(AsyncFd::new(Watch::later(home, origin), socket))
    }

    fn home<T: System>(socket: &AsyncFd<T>) -> &Self {
        socket.registration().runtime()
    }
}

impl Net for GlommioRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.tcp_listener_from_std(system::tcp_listener(address)?)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.udp_socket_from_std(system::udp_socket(address)?)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        system::resolve(self, host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.check()?;
        TcpStream::connect(self, address).await
    }
}

impl FromStd for GlommioRuntime {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        self.check()?;
        TcpListener::from_std(self, listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        self.check()?;
        TcpStream::from_std(self, stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        self.check()?;
        UdpSocket::from_std(self, socket)
    }
}
