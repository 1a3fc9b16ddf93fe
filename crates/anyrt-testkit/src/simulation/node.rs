//! A node of any simulated runtime, without its type: peers are not generic.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyrt_core::net::{Net, SocketOptions, TcpListener, TcpStream, UdpSocket};
use anyrt_core::runtime::Runtime;
use futures_util::{AsyncRead, AsyncWrite};

/// A boxed future that borrows.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type BlockOn<R> = dyn Fn(&R, Pin<&mut dyn Future<Output = ()>>) + Send + Sync;

/// The object-safe part of a runtime that peers need.
pub(crate) trait AnyNode: Send + Sync {
    fn ip(&self) -> IpAddr;
    fn spawn(&self, task: Boxed<'static, ()>);
    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>);
    fn block_on(&self, future: Pin<&mut dyn Future<Output = ()>>);
    fn sleep(&self, duration: Duration) -> Boxed<'_, ()>;
    fn listen(&self) -> io::Result<Box<dyn AnyListener>>;
    fn connect(&self, address: SocketAddr) -> Boxed<'_, io::Result<Box<dyn AnyStream>>>;
    fn bind_udp(&self) -> io::Result<Box<dyn AnySocket>>;
}

/// A listener of a node.
pub(crate) trait AnyListener: Send + Sync {
    fn accept(&self) -> Boxed<'_, io::Result<(Box<dyn AnyStream>, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection of a node.
pub(crate) trait AnyStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    /// Makes dropping the stream a reset.
    fn set_zero_linger(&self) -> io::Result<()>;
}

/// A datagram socket of a node.
pub(crate) trait AnySocket: Send + Sync {
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> Boxed<'a, io::Result<usize>>;
    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Boxed<'a, io::Result<(usize, SocketAddr)>>;
}

/// A node of a known type.
pub(crate) struct Node<R> {
    pub(crate) rt: R,
    pub(crate) ip: IpAddr,
    pub(crate) block_on: Option<Arc<BlockOn<R>>>,
}

impl<R: Runtime> AnyNode for Node<R>
where
    <R as Net>::TcpStream: SocketOptions,
{
    fn ip(&self) -> IpAddr {
        self.ip
    }

    fn spawn(&self, task: Boxed<'static, ()>) {
        drop(self.rt.spawn(task));
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        drop(self.rt.spawn_blocking(job));
    }

    fn block_on(&self, future: Pin<&mut dyn Future<Output = ()>>) {
        match &self.block_on {
            Some(block_on) => block_on(&self.rt, future),
            None => unreachable!("only a node in lock step has jobs in place of threads"),
        }
    }

    fn sleep(&self, duration: Duration) -> Boxed<'_, ()> {
        Box::pin(self.rt.sleep(duration))
    }

    fn listen(&self) -> io::Result<Box<dyn AnyListener>> {
        let listener = self.rt.bind_tcp_addr(SocketAddr::new(self.ip, 0))?;
        Ok(Box::new(Listener(listener)))
    }

    fn connect(&self, address: SocketAddr) -> Boxed<'_, io::Result<Box<dyn AnyStream>>> {
        Box::pin(async move {
            let stream = self.rt.connect_tcp_addr(address).await?;
            Ok(Box::new(stream) as Box<dyn AnyStream>)
        })
    }

    fn bind_udp(&self) -> io::Result<Box<dyn AnySocket>> {
        let socket = self.rt.bind_udp_addr(SocketAddr::new(self.ip, 0))?;
        Ok(Box::new(Socket(socket)))
    }
}

// Types of this crate, whose methods cannot be mistaken for those of the traits in the core.
struct Listener<L>(L);
struct Socket<U>(U);

impl<L: TcpListener<Stream: SocketOptions>> AnyListener for Listener<L> {
    fn accept(&self) -> Boxed<'_, io::Result<(Box<dyn AnyStream>, SocketAddr)>> {
        Box::pin(async {
            let (stream, from) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn AnyStream>, from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<S: TcpStream + SocketOptions> AnyStream for S {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::local_addr(self)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::peer_addr(self)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        TcpStream::shutdown(self, how)
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }
}

impl<U: UdpSocket> AnySocket for Socket<U> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn send_to<'a>(&'a self, data: &'a [u8], to: SocketAddr) -> Boxed<'a, io::Result<usize>> {
        Box::pin(self.0.send_to(data, to))
    }

    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> Boxed<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(self.0.recv_from(buffer))
    }
}
