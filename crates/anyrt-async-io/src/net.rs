//! Sockets: those of [`anyrt_kit::net`], watched by async-io.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyrt_core::net::{FromStd, Net, system};
use anyrt_core::readiness::Ready;
use anyrt_kit::net::{self, Origin, Poller, System};

use crate::reactor::Reactor;
use crate::readiness::Watched;
use crate::runtime::{Handle, Host};

/// Accepts connections.
pub type TcpListener = net::TcpListener<Reactor>;
/// A connection. It can be read and written through `&TcpStream`, too.
pub type TcpStream = net::TcpStream<Reactor>;
/// Sends and receives datagrams.
pub type UdpSocket = net::UdpSocket<Reactor>;

impl Poller for Reactor {
    type Home = Arc<Self>;
    type Watched<T: System> = Watched<T>;

    fn watch<T: System>(home: &Arc<Self>, socket: T, origin: Origin) -> io::Result<Watched<T>> {
        let ready = match origin {
            Origin::Accepted => Ready::READABLE | Ready::WRITABLE,
            // Within one machine the system connects at once, and the first look saves a wait.
            Origin::Connecting => Ready::WRITABLE,
            Origin::Anywhere => Ready::EMPTY,
        };
        Watched::new(home, socket, ready)
    }

    fn home<T: System>(socket: &Watched<T>) -> &Arc<Self> {
        socket.reactor()
    }
}

impl<H: Host> Net for Handle<H> {
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
        TcpStream::connect(self.reactor(), address).await
    }
}

impl<H: Host> FromStd for Handle<H> {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(self.reactor(), listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(self.reactor(), stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.reactor(), socket)
    }
}
