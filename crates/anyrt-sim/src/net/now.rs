//! Calls that do not wait, readiness and options of sockets, and sockets adopted from std.
//!
//! Readiness follows the state of the socket, except that it is cached as on a real runtime: after
//! an operation of the user has returned `WouldBlock`, the socket counts as not ready until the
//! next event, and after one that took all, as ready until an operation finds nothing.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyrt_core::coop;
use anyrt_core::net::{DatagramNow, Descriptor, FromStd, Net as _, StreamNow};
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use socket2::{SockRef, Type};

use super::conn::Reader;
use super::datagram;
use super::route::error;
use super::{Net, TcpListener, TcpStream, UdpSocket};
use crate::runtime::SimRuntime;
use crate::task;
use crate::wait::{self, Wait, Wakers};
use crate::world::World;

// ---- Readiness ---------------------------------------------------------------------------------

/// A socket whose readiness can be waited for.
#[derive(Debug, Clone, Copy)]
enum Id {
    Stream((u64, usize)),
    Datagrams(u64),
}

impl Net {
    fn ready(&self, socket: Id) -> Ready {
        let ready = match socket {
            Id::Stream((id, at)) => self.conns.get(&id).map(|conn| conn.ends[at].ready()),
            Id::Datagrams(id) => self.udp.get(&id).map(datagram::Socket::ready),
        };
        // Operations on a socket that is gone return at once.
        ready.unwrap_or(Ready::ALL)
    }

    /// Returns the tasks that wait for a direction, and the ticket of the one that polls.
    fn waiting(
        &mut self,
        socket: Id,
        direction: Direction,
    ) -> Option<(&mut Wakers, &mut Option<u64>)> {
        match socket {
            Id::Stream((id, at)) => {
                let end = &mut self.conns.get_mut(&id)?.ends[at];
                Some(match direction {
                    Direction::Read => (&mut end.reading, &mut end.read_ticket),
                    Direction::Write => (&mut end.writing, &mut end.write_ticket),
                })
            }
            Id::Datagrams(id) => {
                let socket = self.udp.get_mut(&id)?;
                Some(match direction {
                    Direction::Read => (&mut socket.waiting, &mut socket.read_ticket),
                    Direction::Write => (&mut socket.writing, &mut socket.write_ticket),
                })
            }
        }
    }

    fn note_wait(&self, socket: Id, direction: Direction) {
        let wait = match socket {
            Id::Stream((id, at)) => self.conns.get(&id).map(|conn| {
                let (local, peer) = (conn.ends[at].local, conn.ends[1 - at].local);
                match direction {
                    Direction::Read => Wait::Read(local, peer),
                    Direction::Write => Wait::Write(local, peer),
                }
            }),
            Id::Datagrams(id) => self.udp.get(&id).map(|s| Wait::Receive(s.local())),
        };
        if let Some(wait) = wait {
            wait::note(wait);
        }
    }
}

/// Returns the directions of an interest. Errors wake both; a task that waits only for errors is
/// kept with the readers.
fn directions(interest: Interest) -> impl Iterator<Item = Direction> {
    let writes = interest.is_writable();
    let reads = interest.is_readable() || !writes;
    let read = reads.then_some(Direction::Read);
    read.into_iter().chain(writes.then_some(Direction::Write))
}

fn poll_ready(
    world: &World,
    socket: Id,
    cx: &mut Context<'_>,
    direction: Direction,
) -> Poll<io::Result<()>> {
    coop::charged(cx, |cx| {
        let mut net = world.net();
        if !(net.ready(socket) & direction.interest().mask()).is_empty() {
            return Poll::Ready(Ok(()));
        }
        net.alive()?;
        net.note_wait(socket, direction);
        let old = net
            .waiting(socket, direction)
            .and_then(|(wakers, ticket)| wakers.register(ticket, cx.waker()));
        drop(net);
        drop(old);
        Poll::Pending
    })
}

fn try_io<R>(
    world: &World,
    socket: Id,
    interest: Interest,
    operation: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    // An event during the operation counts as new.
    let before = {
        let mut net = world.net();
        if (net.ready(socket) & interest.mask()).is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        [Direction::Read, Direction::Write].map(|direction| {
            net.waiting(socket, direction)
                .map_or(0, |(wakers, _)| wakers.events())
        })
    };
    let result = operation();
    if let Err(error) = &result
        && error.kind() == io::ErrorKind::WouldBlock
    {
        let mut net = world.net();
        for direction in directions(interest) {
            if let Some((wakers, _)) = net.waiting(socket, direction) {
                wakers.set_over(before[usize::from(direction == Direction::Write)]);
            }
        }
    }
    result
}

/// Waits for any part of an interest. Removes its wakers when dropped.
struct Waiting<'a> {
    world: &'a World,
    socket: Id,
    interest: Interest,
    tickets: [Option<u64>; 2],
}

impl<'a> Waiting<'a> {
    fn new(world: &'a World, socket: Id, interest: Interest) -> Self {
        Self {
            world,
            socket,
            interest,
            tickets: [None; 2],
        }
    }

    fn leave(&mut self) {
        let mut net = self.world.net();
        let left: [Option<Waker>; 2] = [Direction::Read, Direction::Write].map(|direction| {
            let ticket = self.tickets[usize::from(direction == Direction::Write)].take()?;
            let (wakers, _) = net.waiting(self.socket, direction)?;
            wakers.forget(Some(ticket))
        });
        drop(net);
        drop(left);
    }
}

impl Future for Waiting<'_> {
    type Output = io::Result<Ready>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        let this = &mut *self;
        coop::charged(cx, |cx| {
            let mut old = Vec::new();
            let mut net = this.world.net();
            let ready = net.ready(this.socket) & this.interest.mask();
            if !ready.is_empty() {
                return Poll::Ready(Ok(ready));
            }
            net.alive()?;
            for direction in directions(this.interest) {
                net.note_wait(this.socket, direction);
                let ticket = &mut this.tickets[usize::from(direction == Direction::Write)];
                let wakers = net.waiting(this.socket, direction);
                old.extend(wakers.and_then(|(wakers, _)| wakers.register(ticket, cx.waker())));
            }
            drop(net);
            drop(old);
            Poll::Pending
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

macro_rules! readiness {
    ($($Socket:ident: $id:ident $of:ident;)*) => {$(
        impl Readiness for $Socket {
            fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
                Waiting::new(self.world(), Id::$id(self.$of()), interest)
            }

            fn poll_ready(
                &self,
                cx: &mut Context<'_>,
                direction: Direction,
            ) -> Poll<io::Result<()>> {
                poll_ready(self.world(), Id::$id(self.$of()), cx, direction)
            }

            fn try_io<R>(
                &self,
                interest: Interest,
                operation: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                try_io(self.world(), Id::$id(self.$of()), interest, operation)
            }

            async fn async_io<R>(
                &self,
                interest: Interest,
                mut operation: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                loop {
                    self.ready(interest).await?;
                    match self.try_io(interest, &mut operation) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        result => return result,
                    }
                }
            }
        }
    )*};
}
readiness! {
    TcpStream: Stream end;
    UdpSocket: Datagrams id;
}

// ---- Without waiting ---------------------------------------------------------------------------

/// Returns `WouldBlock` for a call that would have to wait.
fn now<T>(done: Option<io::Result<T>>) -> io::Result<T> {
    done.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
}

impl TcpStream {
    fn read_parts(&self, reader: Reader<'_, '_>) -> io::Result<usize> {
        let nanos = self.world().nanos();
        let read = self.world().net().read(nanos, self.end(), reader);
        self.world().planned();
        now(read)
    }

    fn write_parts(&self, bufs: &[&[u8]]) -> io::Result<usize> {
        let nanos = self.world().nanos();
        let written = self.world().net().write(nanos, self.end(), bufs);
        self.world().planned();
        now(written)
    }
}

impl StreamNow for TcpStream {
    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        match buf.is_empty() {
            true => Ok(0),
            false => self.read_parts(Reader::Take(&mut [buf])),
        }
    }

    fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        let mut slices: Vec<&mut [u8]> = bufs.iter_mut().map(|buf| &mut **buf).collect();
        self.read_parts(Reader::Take(&mut slices))
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_parts(Reader::Peek(buf))
    }

    fn write_now(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_parts(&[buf])
    }

    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
        self.write_parts(&slices)
    }
}

impl DatagramNow for UdpSocket {
    fn recv_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from_now(buf)?.0)
    }

    fn recv_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        now(self.world().net().receive_datagram(self.id(), buf, true))
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.peek_from_now(buf)?.0)
    }

    fn peek_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        now(self.world().net().receive_datagram(self.id(), buf, false))
    }

    fn send_now(&self, buf: &[u8]) -> io::Result<usize> {
        self.send_datagram(buf, None)
    }

    fn send_to_now(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.send_datagram(buf, Some(target))
    }
}

// ---- Options -----------------------------------------------------------------------------------

macro_rules! options {
    ($($Socket:ident, $kind:ident, $what:literal $({ $($hook:item)* })?;)*) => {$(
        impl $Socket {
            /// Always fails: there is no socket of the system.
            ///
            /// # Errors
            /// [`io::ErrorKind::Unsupported`].
            pub fn into_std<T>(self) -> io::Result<T> {
                Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    concat!("a simulated ", $what, " cannot become a socket of the operating system"),
                ))
            }
        }

        /// A socket of the system that represents this one: it stores the options that the
        /// simulated network ignores, and never sends or receives. Panics if the system cannot
        /// create it.
        impl Descriptor for $Socket {
            fn socket(&self) -> SockRef<'_> {
                let local = anyrt_core::net::$Socket::local_addr(self);
                SockRef::from(self.placeholder().get(local, Type::$kind))
            }

            $($($hook)*)?
        }

        impl AsFd for $Socket {
            /// Returns the descriptor of [`socket`](Descriptor::socket).
            fn as_fd(&self) -> BorrowedFd<'_> {
                let local = anyrt_core::net::$Socket::local_addr(self);
                self.placeholder().get(local, Type::$kind).as_fd()
            }
        }
    )*};
}
options! {
    TcpListener, STREAM, "listener" {
        fn pending_error(&self) -> io::Result<Option<io::Error>> {
            Ok(None)
        }
    };
    TcpStream, STREAM, "connection" {
        /// A linger other than zero has no effect: closing never waits here.
        fn lingers(&self, linger: Option<Duration>) {
            self.set_linger_zero(linger.is_some_and(|linger| linger.is_zero()));
        }

        fn pending_error(&self) -> io::Result<Option<io::Error>> {
            let mut net = self.world().net();
            let end = net.end_mut(self.end()).ok();
            Ok(end.and_then(|end| end.take_error()).map(error))
        }
    };
    UdpSocket, DGRAM, "UDP socket" {
        fn pending_error(&self) -> io::Result<Option<io::Error>> {
            let errno = self.with(|socket| Ok(socket.error.take()))?;
            Ok(errno.map(error))
        }
    };
}

// ---- Sockets of std ----------------------------------------------------------------------------

impl FromStd for SimRuntime {
    /// Listens at the address of `listener` and closes it. A port that the system chose differs
    /// between executions.
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let address = listener.local_addr()?;
        drop(listener);
        self.bind_tcp_addr(address)
    }

    /// Always fails: a connection of the system has its other end outside of the simulation.
    fn tcp_stream_from_std(&self, _: std::net::TcpStream) -> io::Result<TcpStream> {
        Err(self.unsupported("a connection of the operating system"))
    }

    /// Takes the address of `socket` and closes it; fails if it is connected.
    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        if socket.peer_addr().is_ok() {
            return Err(self.unsupported("a connected socket of the operating system"));
        }
        let address = socket.local_addr()?;
        drop(socket);
        self.bind_udp_addr(address)
    }
}

impl SimRuntime {
    /// Returns the error for a feature that a simulated node lacks.
    pub fn unsupported(&self, what: &str) -> io::Error {
        let task = task::current().map_or(String::new(), |task| format!(" (in the {task})"));
        let message = format!(
            "the simulated node {:?} cannot use {what}{task}",
            self.node_state().name()
        );
        io::Error::new(io::ErrorKind::Unsupported, message)
    }
}
