//! Datagrams.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt_core::{coop, net};
use rustix::io::Errno;

use super::carried::Carried;
use super::datagram::{Datagram, Socket};
use super::placeholder::Placeholder;
use super::ports::Protocol;
use super::route::{NOWHERE, check_bind, destination, error, is_loopback, route, source};
use super::{Arrival, Net};
use crate::injected::Hit;
use crate::node::NodeState;
use crate::random::mix;
use crate::runtime::SimRuntime;
use crate::trace::Event;
use crate::wait::{self, Wait, Wakers};
use crate::world::{self, World};

/// The longest payload over IPv4, and over IPv6.
const LONGEST: usize = 65_507;
const LONGEST_V6: usize = 65_527;
/// The receive buffer, Linux's default, and the overhead that it counts per datagram.
const BUFFER: usize = 212_992;
const OVERHEAD: usize = 768;

impl Net {
    pub(super) fn close_udp(&mut self, id: u64, woken: &mut Vec<Waker>) {
        if let Some(socket) = self.udp.get_mut(&id) {
            socket.dead = true;
            socket.queue.clear();
            socket.waiting.take(woken);
            let (node, port) = (socket.node, socket.bound.port());
            self.ports.release(node, Protocol::Udp, port, id);
        }
    }

    fn send_datagram(&mut self, now: u64, datagram: Datagram) {
        let (from, to) = (datagram.from_node, datagram.to_node);
        if to == NOWHERE || !self.passes(from, to) {
            return;
        }
        let link = self.links.get(from, to);
        if from != to {
            let hit = self
                .injected
                .packet(now, (from, to), link.loss, link.duplication);
            match hit {
                Some(Hit::Lost) => {
                    self.notes.push(Event::Fault(3));
                    return;
                }
                Some(Hit::Doubled) => {
                    self.notes.push(Event::Fault(4));
                    let at = self.links.arrival(from, to, now, &mut self.random);
                    self.plan(at, Arrival::Datagram(datagram.clone()));
                }
                None => {}
            }
        }
        let at = self.links.arrival(from, to, now, &mut self.random);
        self.plan(at, Arrival::Datagram(datagram));
    }

    pub(super) fn datagram_arrives(
        &mut self,
        now: u64,
        datagram: Datagram,
        woken: &mut Vec<Waker>,
    ) {
        let (from, to) = (datagram.from_node, datagram.to_node);
        let Some(Arrival::Datagram(datagram)) =
            self.hold_back(from, to, Arrival::Datagram(datagram))
        else {
            return;
        };
        if !self.passes(from, to) {
            return;
        }
        self.note(mix(datagram
            .bytes
            .iter()
            .fold(datagram.socket, |hash, byte| {
                hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
            })));
        let carried = Carried::Datagram(datagram.bytes.len());
        self.arrives(now, from, to, carried);
        let found = self.ports.find(to, Protocol::Udp, datagram.to);
        let socket = found.and_then(|id| self.udp.get_mut(&id));
        match socket.filter(|socket| socket.peer.is_none_or(|peer| peer == datagram.from)) {
            Some(socket) => {
                let size = datagram.bytes.len() + OVERHEAD;
                if socket.queued + size <= BUFFER {
                    socket.queued += size;
                    socket.queue.push_back((datagram.bytes, datagram.from));
                    socket.waiting.take(woken);
                }
            }
            None => {
                let at = now + self.latency(to, from);
                let target = datagram.to;
                let (socket, from, to) = (datagram.socket, to, from);
                let arrival = Arrival::PortClosed {
                    socket,
                    target,
                    from,
                    to,
                };
                self.plan(at, arrival);
            }
        }
    }

    pub(super) fn port_closed(
        &mut self,
        socket: u64,
        target: SocketAddr,
        (from, to): (usize, usize),
        woken: &mut Vec<Waker>,
    ) {
        if !self.passes(from, to) {
            return;
        }
        self.note(mix(socket));
        // Only a socket that is connected to this port receives the error.
        if let Some(socket) = self.udp.get_mut(&socket)
            && socket.peer == Some(target)
        {
            socket.error = Some(Errno::CONNREFUSED);
            socket.waiting.take(woken);
        }
    }

    fn poll_receive(
        &mut self,
        id: u64,
        buf: &mut [u8],
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<(usize, SocketAddr)>>, Option<Waker>) {
        if let Some(result) = self.receive_datagram(id, buf, true) {
            return (Poll::Ready(result), None);
        }
        let Some(socket) = self.udp.get_mut(&id) else {
            return (Poll::Pending, None);
        };
        wait::note(Wait::Receive(socket.local));
        socket.waiting.set_stays(false);
        let old = socket.waiting.register(ticket, cx.waker());
        (Poll::Pending, old)
    }

    /// Receives or peeks at the first datagram. Returns `None` if the call has to wait.
    pub(super) fn receive_datagram(
        &mut self,
        id: u64,
        buf: &mut [u8],
        takes: bool,
    ) -> Option<io::Result<(usize, SocketAddr)>> {
        let ended = self.alive();
        let Some(socket) = self.udp.get_mut(&id).filter(|socket| !socket.dead) else {
            return Some(Err(error(Errno::BADF)));
        };
        if let Some(errno) = socket.error.take() {
            return Some(Err(error(errno)));
        }
        let Some((bytes, from)) = socket.queue.front() else {
            return ended.err().map(Err);
        };
        let (count, from, size) = (bytes.len().min(buf.len()), *from, bytes.len() + OVERHEAD);
        buf[..count].copy_from_slice(&bytes[..count]);
        if takes {
            socket.queued -= size;
            socket.queue.pop_front();
            socket.waiting.set_stays(true);
        }
        Some(Ok((count, from)))
    }
}

/// Sends and receives datagrams.
pub struct UdpSocket {
    rt: SimRuntime,
    id: u64,
    placeholder: Placeholder,
}

impl UdpSocket {
    /// Binds a socket to an address of the node.
    pub(super) fn bind(rt: &SimRuntime, address: SocketAddr) -> io::Result<Self> {
        let node = rt.node_state();
        let mut net = rt.world().net();
        net.alive()?;
        check_bind(node, address)?;
        let id = net.id();
        let net = &mut *net;
        let local = net
            .ports
            .bind(node.id(), Protocol::Udp, address, id, &mut net.random)?;
        let socket = Socket {
            node: node.id(),
            local,
            bound: local,
            peer: None,
            queue: VecDeque::new(),
            queued: 0,
            error: None,
            waiting: Wakers::default(),
            read_ticket: None,
            writing: Wakers::default(),
            write_ticket: None,
            dead: false,
        };
        net.udp.insert(id, socket);
        Ok(Self {
            rt: rt.clone(),
            id,
            placeholder: Placeholder::default(),
        })
    }

    pub(super) fn placeholder(&self) -> &Placeholder {
        &self.placeholder
    }

    pub(super) fn world(&self) -> &Arc<World> {
        self.rt.world()
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Socket) -> io::Result<T>) -> io::Result<T> {
        match self.world().net().udp.get_mut(&self.id) {
            Some(socket) if !socket.dead => f(socket),
            _ => Err(error(Errno::BADF)),
        }
    }

    /// Returns its id in the network.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    fn connect_to(&self, peer: SocketAddr) -> io::Result<()> {
        let peer = destination(peer);
        let node = self.rt.node_state();
        self.with(|socket| {
            if socket.bound.is_ipv4() != peer.is_ipv4() {
                return Err(error(Errno::AFNOSUPPORT));
            }
            if socket.bound.ip().is_unspecified() {
                socket.local.set_ip(source(node, peer.ip()));
            }
            socket.peer = Some(peer);
            Ok(())
        })
    }

    pub(super) fn send_datagram(
        &self,
        buf: &[u8],
        target: Option<SocketAddr>,
    ) -> io::Result<usize> {
        let node: &NodeState = self.rt.node_state();
        let (to, from) = self.with(|socket| {
            let to = target.or(socket.peer);
            let to = destination(to.ok_or_else(|| error(Errno::DESTADDRREQ))?);
            if socket.bound.is_ipv4() != to.is_ipv4() {
                return Err(error(Errno::AFNOSUPPORT));
            }
            if to.port() == 0 || (is_loopback(socket.local.ip()) && !is_loopback(to.ip())) {
                return Err(error(Errno::INVAL));
            }
            let longest = if to.is_ipv4() { LONGEST } else { LONGEST_V6 };
            if buf.len() > longest {
                return Err(error(Errno::MSGSIZE));
            }
            if let Some(errno) = socket.error.take() {
                return Err(error(errno));
            }
            let mut from = socket.local;
            if from.ip().is_unspecified() {
                from.set_ip(source(node, to.ip()));
            }
            Ok((to, from))
        })?;
        let datagram = Datagram {
            socket: self.id,
            from_node: node.id(),
            to_node: route(&self.rt, to.ip()).unwrap_or(NOWHERE),
            from,
            to,
            bytes: buf.to_vec(),
        };
        let now = self.world().nanos();
        {
            let mut net = self.world().net();
            net.alive()?;
            net.send_datagram(now, datagram);
        }
        self.world().planned();
        Ok(buf.len())
    }

    /// Sending never waits, but charges the task's budget.
    async fn charged<T>(&self, operation: impl Fn() -> io::Result<T>) -> io::Result<T> {
        poll_fn(|cx| coop::charged(cx, |_| Poll::Ready(operation()))).await
    }
}

impl net::UdpSocket for UdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.charged(|| self.send_datagram(buf, Some(target))).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut receiving = Receiving {
            socket: self,
            ticket: None,
        };
        poll_fn(|cx| {
            coop::charged(cx, |cx| {
                let mut net = self.world().net();
                let (polled, old) = net.poll_receive(self.id, buf, &mut receiving.ticket, cx);
                drop(net);
                drop(old);
                polled
            })
        })
        .await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.connect_to(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.charged(|| self.send_datagram(buf, None)).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.with(|socket| Ok(socket.local))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with(|socket| socket.peer.ok_or_else(|| error(Errno::NOTCONN)))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        let socket = {
            let mut net = self.world().net();
            net.close_udp(self.id, &mut woken);
            net.udp.remove(&self.id)
        };
        drop(socket);
        world::wake(woken);
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local_addr", &net::UdpSocket::local_addr(self).ok())
            .finish_non_exhaustive()
    }
}

/// Removes its waker when dropped.
struct Receiving<'a> {
    socket: &'a UdpSocket,
    ticket: Option<u64>,
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        let waker = {
            let mut net = self.socket.world().net();
            let socket = net.udp.get_mut(&self.socket.id);
            socket.and_then(|socket| socket.waiting.forget(self.ticket))
        };
        drop(waker);
    }
}
