//! The network: packets in flight, and the sockets that receive them.
//!
//! ```text
//!   Net          events in the order of their virtual time, addresses, ports
//!     |-- carried      arrived messages, for the trace
//!     |-- link         latency, loss, partitions between two nodes
//!     |-- conn         TCP connections: two ends and an ordered pipe in each direction
//!     |-- listener     the state of listeners
//!     |-- datagram     datagrams, and the state of their sockets
//!     |-- descriptors  Unix sockets and pipes that tasks wait for
//!     `-- unix         the names of Unix sockets
//!
//!   On it stand, and it knows nothing of them:
//!     conn::traffic, conn::calls   how connections open, carry bytes and end
//!     tcp, udp, now, placeholder   the sockets, as the traits have them
//!     sockets, resolve, route      how a node gets them, names, addresses
//!     judged                       messages as the rules of the test see them
//!     watched                      when tasks that wait for a descriptor are woken
//! ```

mod carried;
pub(crate) mod conn;
mod datagram;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptors;
mod judged;
pub(crate) mod link;
mod listener;
mod now;
mod placeholder;
pub(crate) mod ports;
mod resolve;
mod route;
mod sockets;
mod tcp;
mod udp;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod unix;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod watched;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;

use anyrt_kit::readiness::gone;

use crate::injected::Injected;
use crate::node::Node;
use crate::perfetto::Told;
use crate::random::{Concern, Random};
use crate::trace::Event;

use carried::{Carried, CarriedMessage};
use conn::Conn;
use datagram::{Datagram, Socket};
#[cfg(any(target_os = "linux", target_os = "android"))]
use descriptors::Descriptors;
use link::Links;
use listener::Listener;
use ports::Ports;
use route::NOWHERE;
#[cfg(any(target_os = "linux", target_os = "android"))]
use unix::Names;

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

/// An event at a virtual time.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The nth request for a connection.
    Syn {
        conn: u64,
        attempt: u32,
    },
    /// The head of the pipe from this end is due.
    Segment {
        conn: u64,
        from: usize,
    },
    /// The peer of this end has read this many bytes.
    Taken {
        conn: u64,
        end: usize,
        bytes: usize,
    },
    /// The peer of this end has received its FIN.
    FinSeen {
        conn: u64,
        end: usize,
    },
    Datagram(Datagram),
    /// The rules have already seen it.
    Judged(Box<Arrival>),
    /// A datagram of this socket reached a closed port.
    PortClosed {
        socket: u64,
        target: SocketAddr,
        from: usize,
        to: usize,
    },
    /// The tasks that wait for a Unix socket or a pipe are woken.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Ready {
        token: u64,
        ready: anyrt_core::readiness::Ready,
    },
}

/// The network of a world.
#[derive(Debug)]
pub(crate) struct Net {
    random: Random,
    injected: Injected,
    events: BTreeMap<(u64, u64, u64), Arrival>,
    /// The last id of a socket, connection or event.
    next_id: u64,
    pub(crate) links: Links,
    pub(crate) ports: Ports,
    conns: BTreeMap<u64, Conn>,
    listeners: BTreeMap<u64, Listener>,
    udp: BTreeMap<u64, Socket>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) descriptors: Descriptors,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    unix_names: Names,
    down: Vec<usize>,
    /// Packets on links that hold them back.
    held: Vec<(usize, usize, Arrival)>,
    ended: bool,
    /// Events that are not in the trace yet.
    notes: Vec<Event>,
    /// The arrived messages, in a recorded execution.
    messages: Option<Vec<CarriedMessage>>,
    /// A rule drops the message that is being delivered.
    loses: bool,
}

impl Net {
    pub(crate) fn new(seed: u64, injected: Injected) -> Self {
        Self {
            random: Random::new(seed, Concern::Network),
            injected,
            events: BTreeMap::new(),
            next_id: 0,
            links: Links::default(),
            ports: Ports::default(),
            conns: BTreeMap::new(),
            listeners: BTreeMap::new(),
            udp: BTreeMap::new(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            descriptors: Descriptors::default(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            unix_names: Names::default(),
            down: Vec::new(),
            held: Vec::new(),
            ended: false,
            notes: Vec::new(),
            messages: None,
            loses: false,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Schedules an arrival. The seed decides the order of arrivals at the same nanosecond.
    fn plan(&mut self, at: u64, arrival: Arrival) {
        let key = (at, self.random.next(), self.id());
        self.events.insert(key, arrival);
    }

    /// Plans the events of descriptors that became ready. Returns `true` if there are any.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn look_at_descriptors(&mut self, _: u64) -> bool {
        false
    }

    /// Stops watching `fd`. None is watched.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn unwatch(
        &mut self,
        _: std::os::fd::BorrowedFd<'_>,
        _: u64,
    ) -> Option<std::sync::Arc<anyrt_kit::readiness::Source>> {
        None
    }

    /// Returns `true` if any descriptor of the system is watched.
    pub(crate) fn watches_descriptors(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.descriptors.is_watching();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        false
    }

    fn note(&mut self, content: u64) {
        self.notes.push(Event::Packet(content));
    }

    /// Records messages from now on.
    pub(crate) fn record(&mut self) {
        self.messages = Some(Vec::new());
    }

    /// Records that a message arrives at `to`, if messages are recorded.
    fn arrives(&mut self, nanos: u64, from: usize, to: usize, carried: Carried) {
        if let Some(messages) = &mut self.messages {
            messages.push(CarriedMessage {
                nanos,
                from,
                to,
                carried,
            });
        }
    }

    /// Returns the arrived messages in order, with the names of these nodes.
    pub(crate) fn told(&self, nodes: &[&str]) -> Vec<Told> {
        let messages = self.messages.iter().flatten();
        messages.map(|message| message.told(nodes)).collect()
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        self.events.first_key_value().map(|((at, _, _), _)| *at)
    }

    /// Delivers everything that is due. Returns the events for the trace.
    pub(crate) fn deliver_due(&mut self, now: u64, woken: &mut Vec<Waker>) -> Vec<Event> {
        self.look_at_descriptors(now);
        while let Some(first) = self.events.first_entry() {
            let at = first.key().0;
            if at > now {
                break;
            }
            let arrival = first.remove();
            self.deliver(at, arrival, woken);
        }
        std::mem::take(&mut self.notes)
    }

    fn deliver(&mut self, at: u64, arrival: Arrival, woken: &mut Vec<Waker>) {
        match arrival {
            Arrival::Syn { conn, attempt } => self.syn_arrives(at, conn, attempt, woken),
            Arrival::Segment { conn, from } => self.segment_arrives(at, conn, from, woken),
            Arrival::Taken { conn, end, bytes } => self.taken(at, conn, end, bytes, woken),
            Arrival::FinSeen { conn, end } => self.fin_seen(at, conn, end),
            Arrival::Datagram(datagram) => self.datagram_arrives(at, datagram, woken),
            Arrival::Judged(arrival) => self.deliver(at, *arrival, woken),
            Arrival::PortClosed {
                socket,
                target,
                from,
                to,
            } => self.port_closed(socket, target, (from, to), woken),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Arrival::Ready { token, ready } => self.ready_arrives(token, ready, woken),
        }
    }

    /// Returns `true` if packets currently pass from one node to the other.
    fn passes(&self, from: usize, to: usize) -> bool {
        let exist = from != NOWHERE && to != NOWHERE;
        exist && !self.is_down(from) && !self.is_down(to) && !self.links.is_cut(from, to)
    }

    pub(crate) fn is_down(&self, node: usize) -> bool {
        self.down.contains(&node)
    }

    fn latency(&mut self, from: usize, to: usize) -> u64 {
        self.links.latency(from, to, &mut self.random)
    }

    /// Takes the node down. With `goodbye` its system closes the sockets, as for a killed process;
    /// otherwise peers are not notified.
    pub(crate) fn end_node(
        &mut self,
        node: usize,
        says_goodbye: bool,
        now: u64,
        woken: &mut Vec<Waker>,
    ) {
        let listeners = self.listeners.iter().filter(|(_, l)| l.node == node);
        let listeners: Vec<_> = listeners.map(|(id, _)| *id).collect();
        for id in listeners {
            self.close_listener(id, says_goodbye, now, woken);
        }
        let sockets = self.udp.iter().filter(|(_, s)| s.node == node);
        let sockets: Vec<_> = sockets.map(|(id, _)| *id).collect();
        for id in sockets {
            self.close_udp(id, woken);
        }
        let conns: Vec<_> = self.conns.keys().copied().collect();
        for id in conns {
            for end in 0..2 {
                let there = self
                    .conns
                    .get(&id)
                    .is_some_and(|c| c.ends[end].node == node);
                if there {
                    self.end_dies(id, end, says_goodbye, now, woken);
                }
            }
        }
        if !says_goodbye {
            self.down.push(node);
        }
    }

    /// Ends a partition; packets pass again if it was the last one between the nodes.
    pub(crate) fn heal(&mut self, from: usize, to: usize, now: u64) {
        self.links.heal(from, to);
        if !self.links.is_cut(from, to) {
            self.repeat_lost_acknowledgements(from, to, now);
        }
    }

    /// Ends a hold; if it was the last one on the link, releases its packets.
    pub(crate) fn let_go(&mut self, from: usize, to: usize, now: u64) {
        self.links.let_go(from, to);
        if self.links.is_held(from, to) {
            return;
        }
        let (free, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|&(f, t, _)| (f, t) == (from, to));
        self.held = held;
        let free: Vec<(usize, usize, Arrival)> = free;
        for (after, (_, _, arrival)) in free.into_iter().enumerate() {
            // In the order of arrival.
            self.plan(now + 1 + after as u64, arrival);
        }
    }

    /// Holds the arrival back if its link is held, and returns it otherwise.
    fn hold_back(&mut self, from: usize, to: usize, arrival: Arrival) -> Option<Arrival> {
        if !self.links.is_held(from, to) {
            return Some(arrival);
        }
        self.notes.push(Event::Fault(1));
        self.held.push((from, to, arrival));
        None
    }

    pub(crate) fn start_node(&mut self, node: usize) {
        self.down.retain(|&other| other != node);
    }

    /// Wakes all waiting tasks, whose operations then report that the runtime has ended.
    pub(crate) fn end(&mut self, woken: &mut Vec<Waker>) {
        self.ended = true;
        for listener in self.listeners.values_mut() {
            listener.waiting.take(woken);
        }
        for socket in self.udp.values_mut() {
            socket.waiting.take(woken);
        }
        for conn in self.conns.values_mut() {
            conn.wake_all(woken);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        self.descriptors.end(woken);
    }

    /// Fails if the runtime has ended.
    fn alive(&self) -> io::Result<()> {
        if self.ended { Err(gone()) } else { Ok(()) }
    }
}

impl Node {
    /// Returns the node's address with this port.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }
}
