//! What the cases use of the sockets under test.

use anyrt_core::FromStd;
use anyrt_core::readiness::Readiness;

/// A handle that converts sockets of the operating system, and whose sockets have readiness.
///
/// Do not implement it: every such handle has it.
pub trait Sockets: FromStd<TcpStream: Readiness, UdpSocket: Readiness> {}

impl<R: FromStd<TcpStream: Readiness, UdpSocket: Readiness>> Sockets for R {}
