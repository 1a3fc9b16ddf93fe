//! The socket of the system behind a simulated one.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;

use socket2::{Domain, Socket, Type};

/// An unconnected socket of the system that stores the options that the simulated network ignores.
/// Created on first use.
#[derive(Debug, Default)]
pub(super) struct Placeholder {
    socket: OnceLock<Socket>,
}

impl Placeholder {
    pub(super) fn get(&self, local: io::Result<SocketAddr>, kind: Type) -> &Socket {
        self.socket.get_or_init(|| {
            let domain = match local {
                Ok(SocketAddr::V6(_)) => Domain::IPV6,
                _ => Domain::IPV4,
            };
            match Socket::new(domain, kind, None) {
                Ok(socket) => socket,
                Err(error) => panic!("no socket to keep the options of a simulated one: {error}"),
            }
        })
    }
}
