//! The system calls that move bytes.
//!
//! On Unix they are direct: libc's are points where a thread may be cancelled, and the check takes
//! more instructions than everything else before the kernel. The error is a plain number, of which
//! an [`io::Error`](std::io::Error) is made only if it is told.

#[cfg(unix)]
mod direct {
    use std::io::{IoSlice, IoSliceMut};
    use std::net::{SocketAddr, TcpStream, UdpSocket};

    use rustix::io::{Result, readv, writev};
    use rustix::net::{RecvFlags, SendFlags, recv, recvfrom, send, sendto};

    /// Writing to a connection whose peer is gone is an error, and not a signal.
    #[cfg(not(target_vendor = "apple"))]
    const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
    /// The standard library sets the option `SO_NOSIGPIPE` instead.
    #[cfg(target_vendor = "apple")]
    const NO_SIGNAL: SendFlags = SendFlags::empty();

    #[inline]
    pub(in crate::net) fn read(stream: &TcpStream, buf: &mut [u8]) -> Result<usize> {
        recv(stream, buf, RecvFlags::empty()).map(|(_, len)| len)
    }

    #[inline]
    pub(in crate::net) fn read_vectored(
        stream: &TcpStream,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Result<usize> {
        readv(stream, bufs)
    }

    #[inline]
    pub(in crate::net) fn write(stream: &TcpStream, buf: &[u8]) -> Result<usize> {
        send(stream, buf, NO_SIGNAL)
    }

    #[inline]
    pub(in crate::net) fn write_vectored(
        stream: &TcpStream,
        bufs: &[IoSlice<'_>],
    ) -> Result<usize> {
        writev(stream, bufs)
    }

    #[inline]
    pub(in crate::net) fn send_to(
        socket: &UdpSocket,
        buf: &[u8],
        target: SocketAddr,
    ) -> Result<usize> {
        sendto(socket, buf, NO_SIGNAL, &target)
    }

    #[inline]
    pub(in crate::net) fn recv_from(
        socket: &UdpSocket,
        buf: &mut [u8],
    ) -> Result<(usize, SocketAddr)> {
        let (_, len, sender) = recvfrom(socket, buf, RecvFlags::empty())?;
        // Each datagram has a sender.
        let sender = sender.ok_or(rustix::io::Errno::INVAL)?;
        Ok((len, sender.try_into()?))
    }

    #[inline]
    pub(in crate::net) fn send_connected(socket: &UdpSocket, buf: &[u8]) -> Result<usize> {
        send(socket, buf, NO_SIGNAL)
    }

    #[inline]
    pub(in crate::net) fn recv_connected(socket: &UdpSocket, buf: &mut [u8]) -> Result<usize> {
        recv(socket, buf, RecvFlags::empty()).map(|(_, len)| len)
    }
}

#[cfg(unix)]
pub(super) use direct::*;

#[cfg(not(unix))]
mod of_std {
    use std::io::{IoSlice, IoSliceMut, Read, Result, Write};
    use std::net::{SocketAddr, TcpStream, UdpSocket};

    pub(in crate::net) fn read(mut stream: &TcpStream, buf: &mut [u8]) -> Result<usize> {
        stream.read(buf)
    }

    pub(in crate::net) fn read_vectored(
        mut stream: &TcpStream,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Result<usize> {
        stream.read_vectored(bufs)
    }

    pub(in crate::net) fn write(mut stream: &TcpStream, buf: &[u8]) -> Result<usize> {
        stream.write(buf)
    }

    pub(in crate::net) fn write_vectored(
        mut stream: &TcpStream,
        bufs: &[IoSlice<'_>],
    ) -> Result<usize> {
        stream.write_vectored(bufs)
    }

    pub(in crate::net) fn send_to(
        socket: &UdpSocket,
        buf: &[u8],
        target: SocketAddr,
    ) -> Result<usize> {
        socket.send_to(buf, target)
    }

    pub(in crate::net) fn recv_from(
        socket: &UdpSocket,
        buf: &mut [u8],
    ) -> Result<(usize, SocketAddr)> {
        socket.recv_from(buf)
    }

    pub(in crate::net) fn send_connected(socket: &UdpSocket, buf: &[u8]) -> Result<usize> {
        socket.send(buf)
    }

    pub(in crate::net) fn recv_connected(socket: &UdpSocket, buf: &mut [u8]) -> Result<usize> {
        socket.recv(buf)
    }
}

#[cfg(not(unix))]
pub(super) use of_std::*;
