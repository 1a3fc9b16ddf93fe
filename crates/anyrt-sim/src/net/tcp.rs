//! Listeners and streams.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt_core::coop;
use anyrt_core::net;
use anyrt_core::net::system::LISTEN_BACKLOG;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;

use super::Net;
use super::conn::Reader;
use super::listener::Listener;
use super::placeholder::Placeholder;
use super::ports::Protocol;
use super::route::{NOWHERE, check_bind, destination, error, route, source};
use crate::runtime::SimRuntime;
use crate::wait::{self, Wait, Wakers};
use crate::world::{self, World};

impl Net {
    fn listen(&mut self, node: usize, address: SocketAddr) -> io::Result<u64> {
        self.alive()?;
        let id = self.id();
        let local = self
            .ports
            .bind(node, Protocol::Tcp, address, id, &mut self.random)?;
        let listener = Listener {
            node,
            local,
            queue: VecDeque::new(),
            backlog: usize::try_from(LISTEN_BACKLOG).unwrap_or(usize::MAX),
            waiting: Wakers::default(),
            ticket: None,
            dead: false,
        };
        self.listeners.insert(id, listener);
        Ok(id)
    }

    /// Closes a listener. Connections that wait to be accepted are reset.
    pub(super) fn close_listener(
        &mut self,
        id: u64,
        says_goodbye: bool,
        now: u64,
        woken: &mut Vec<Waker>,
    ) {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return;
        };
        let (node, local) = (listener.node, listener.local);
        listener.waiting.take(woken);
        listener.dead = true;
        let queue = std::mem::take(&mut listener.queue);
        self.ports.release(node, Protocol::Tcp, local.port(), id);
        for conn in queue {
            if let Ok(end) = self.end_mut((conn, 1)) {
                end.linger_zero = true;
            }
            if says_goodbye {
                self.close(now, (conn, 1));
            }
        }
    }

    /// Without a ticket, only the task that polled last is woken.
    fn poll_accept(
        &mut self,
        id: u64,
        ticket: Option<&mut Option<u64>>,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<u64>>, Option<Waker>) {
        let ended = self.alive();
        let Some(listener) = self.listeners.get_mut(&id).filter(|l| !l.dead) else {
            return (Poll::Ready(Err(error(Errno::INVAL))), None);
        };
        if let Some(conn) = listener.queue.pop_front() {
            return (Poll::Ready(Ok(conn)), None);
        }
        if let Err(error) = ended {
            return (Poll::Ready(Err(error)), None);
        }
        wait::note(Wait::Accept(listener.local));
        let own = &mut listener.ticket;
        let old = listener.waiting.register(ticket.unwrap_or(own), cx.waker());
        (Poll::Pending, old)
    }
}

/// Accepts connections.
pub struct TcpListener {
    // Boxed, because a handle of a socket should be one word.
    inner: Box<ListenerParts>,
}

struct ListenerParts {
    world: Arc<World>,
    id: u64,
    local: SocketAddr,
    placeholder: Placeholder,
}

impl TcpListener {
    pub(super) fn placeholder(&self) -> &Placeholder {
        &self.inner.placeholder
    }

    /// Like [`accept`](net::TcpListener::accept). Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`accept`](net::TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let polled = coop::charged(cx, |cx| {
            let (polled, old) = self.inner.world.net().poll_accept(self.inner.id, None, cx);
            drop(old);
            polled
        });
        polled.map_ok(|conn| {
            let stream = TcpStream::new(&self.inner.world, (conn, 1));
            let peer = stream.inner.peer;
            (stream, peer)
        })
    }

    /// Listens at an address of the node.
    pub(super) fn bind(rt: &SimRuntime, address: SocketAddr) -> io::Result<Self> {
        rt.world().net().alive()?;
        check_bind(rt.node_state(), address)?;
        let world = Arc::clone(rt.world());
        let mut net = world.net();
        let id = net.listen(rt.node_state().id(), address)?;
        let local = net.listeners.get(&id).map_or(address, |l| l.local);
        drop(net);
        let placeholder = Placeholder::default();
        let inner = ListenerParts {
            world,
            id,
            local,
            placeholder,
        };
        Ok(Self {
            inner: Box::new(inner),
        })
    }
}

impl net::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut waiting = Accepting {
            listener: self,
            ticket: None,
        };
        let conn = poll_fn(|cx| {
            coop::charged(cx, |cx| {
                let ticket = Some(&mut waiting.ticket);
                let (polled, old) = self
                    .inner
                    .world
                    .net()
                    .poll_accept(self.inner.id, ticket, cx);
                drop(old);
                polled
            })
        })
        .await?;
        let stream = TcpStream::new(&self.inner.world, (conn, 1));
        let peer = stream.inner.peer;
        Ok((stream, peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.local)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        {
            let now = self.inner.world.nanos();
            let mut net = self.inner.world.net();
            net.close_listener(self.inner.id, true, now, &mut woken);
            net.listeners.remove(&self.inner.id);
        }
        world::wake(woken);
        self.inner.world.planned();
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local_addr", &self.inner.local)
            .finish_non_exhaustive()
    }
}

/// Returns `true` for a broadcast or multicast address. Linux refuses such connections without a
/// packet.
fn is_for_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Removes its waker when dropped.
struct Accepting<'a> {
    listener: &'a TcpListener,
    ticket: Option<u64>,
}

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        let waker = {
            let mut net = self.listener.inner.world.net();
            let listener = net.listeners.get_mut(&self.listener.inner.id);
            listener.and_then(|listener| listener.waiting.forget(self.ticket))
        };
        drop(waker);
    }
}

/// A connection. `&TcpStream` implements reading and writing as well.
pub struct TcpStream {
    // Boxed for the same reason as that of a listener.
    inner: Box<StreamParts>,
}

struct StreamParts {
    world: Arc<World>,
    end: (u64, usize),
    local: SocketAddr,
    peer: SocketAddr,
    placeholder: Placeholder,
}

impl TcpStream {
    pub(super) fn placeholder(&self) -> &Placeholder {
        &self.inner.placeholder
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.inner.world
    }

    /// Returns the connection and the end.
    pub(super) fn end(&self) -> (u64, usize) {
        self.inner.end
    }

    fn new(world: &Arc<World>, end: (u64, usize)) -> Self {
        let addresses = {
            let net = world.net();
            net.conns.get(&end.0).map(|conn| conn.addresses(end.1))
        };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let [local, peer] = addresses.unwrap_or([nowhere; 2]);
        let inner = StreamParts {
            world: Arc::clone(world),
            end,
            local,
            peer,
            placeholder: Placeholder::default(),
        };
        Self {
            inner: Box::new(inner),
        }
    }

    pub(super) async fn connect(rt: &SimRuntime, address: SocketAddr) -> io::Result<Self> {
        let stream = {
            let node = rt.node_state();
            let remote = destination(address);
            if is_for_many(remote.ip()) {
                return Err(error(Errno::NETUNREACH));
            }
            let to = route(rt, remote.ip()).unwrap_or(NOWHERE);
            let world = rt.world();
            let conn = {
                let mut net = world.net();
                net.alive()?;
                let net = &mut *net;
                let port = net.ports.connect(node.id(), &mut net.random)?;
                let local = SocketAddr::new(source(node, remote.ip()), port);
                net.connect(world.nanos(), (node.id(), local), (to, remote))
            };
            world.planned();
            // From here on, dropping the stream abandons the connection.
            Self::new(world, (conn, 0))
        };
        let mut ticket = None;
        poll_fn(|cx| {
            let (polled, old) =
                stream
                    .inner
                    .world
                    .net()
                    .poll_connected(stream.inner.end.0, &mut ticket, cx);
            drop(old);
            if polled.is_pending() {
                wait::note(Wait::Connect(stream.inner.peer));
            }
            polled
        })
        .await?;
        Ok(stream)
    }

    /// Makes dropping the stream send a reset, as `SO_LINGER` with zero does.
    pub fn set_linger_zero(&self, linger_zero: bool) {
        if let Ok(end) = self.inner.world.net().end_mut(self.inner.end) {
            end.linger_zero = linger_zero;
        }
    }

    fn poll_take(&self, cx: &mut Context<'_>, bufs: &mut [&mut [u8]]) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let polled = coop::charged(cx, |cx| {
            let now = self.inner.world.nanos();
            let reader = Reader::Take(bufs);
            let (polled, old) =
                self.inner
                    .world
                    .net()
                    .poll_read(now, self.inner.end, reader, None, cx);
            drop(old);
            polled
        });
        self.inner.world.planned();
        polled
    }

    fn poll_send(&self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<io::Result<usize>> {
        let polled = coop::charged(cx, |cx| {
            let now = self.inner.world.nanos();
            let (polled, old) = self
                .inner
                .world
                .net()
                .poll_write(now, self.inner.end, bufs, cx);
            drop(old);
            polled
        });
        self.inner.world.planned();
        polled
    }
}

impl net::TcpStream for TcpStream {
    anyrt_kit::shared_halves!();

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.world.net().peer_addr(self.inner.end)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.local)
    }

    fn nodelay(&self) -> io::Result<bool> {
        Ok(self.inner.world.net().end_mut(self.inner.end)?.nodelay)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.world.net().end_mut(self.inner.end)?.nodelay = nodelay;
        Ok(())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let mut woken = Vec::new();
        let now = self.inner.world.nanos();
        let result = self
            .inner
            .world
            .net()
            .shutdown(now, self.inner.end, how, &mut woken);
        world::wake(woken);
        self.inner.world.planned();
        result
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut peeking = Peeking {
            stream: self,
            ticket: None,
            buf,
        };
        poll_fn(|cx| peeking.poll(cx)).await
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let now = self.inner.world.nanos();
        self.inner.world.net().close(now, self.inner.end);
        self.inner.world.planned();
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local_addr", &self.inner.local)
            .field("peer_addr", &self.inner.peer)
            .finish_non_exhaustive()
    }
}

/// Removes its waker when dropped.
struct Peeking<'a> {
    stream: &'a TcpStream,
    ticket: Option<u64>,
    buf: &'a mut [u8],
}

impl Peeking<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = self.stream;
        coop::charged(cx, |cx| {
            let now = stream.inner.world.nanos();
            let reader = Reader::Peek(self.buf);
            let ticket = Some(&mut self.ticket);
            let (polled, old) =
                stream
                    .inner
                    .world
                    .net()
                    .poll_read(now, stream.inner.end, reader, ticket, cx);
            drop(old);
            polled
        })
    }
}

impl Drop for Peeking<'_> {
    fn drop(&mut self) {
        let waker = self
            .stream
            .inner
            .world
            .net()
            .forget_reader(self.stream.inner.end, self.ticket);
        drop(waker);
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, &mut [buf])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices: Vec<&mut [u8]> = bufs.iter_mut().map(|buf| &mut **buf).collect();
        self.poll_take(cx, &mut slices)
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[buf])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            // Linux returns before it looks at the state of the socket.
            return Poll::Ready(Ok(0));
        }
        let slices: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
        self.poll_send(cx, &slices)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(net::TcpStream::close_write(*self))
    }
}

anyrt_kit::shared_io!(TcpStream);
