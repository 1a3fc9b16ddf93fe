//! A TCP socket that is neither listening nor connected yet.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyrt_core::net::FromStd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{TcpListener, TcpStream, sys};
use crate::backend::simulated::Unconnected;
use crate::io::Interest;
use crate::runtime::Handle;

/// A TCP socket that is neither listening nor connected yet, so that options can be set before.
///
/// Unlike [`TcpListener::bind`] it sets no option by itself.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::net::TcpSocket;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.set_recv_buffer_size(64 * 1024)?;
/// socket.bind(([127, 0, 0, 1], 0).into())?;
/// let listener = socket.listen(1024)?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(()) });
/// ```
pub struct TcpSocket {
    inner: Socket,
    simulated: Unconnected,
}

impl TcpSocket {
    /// Creates a socket for IPv4.
    ///
    /// # Errors
    /// Fails if the system's `socket` does.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// Creates a socket for IPv6.
    ///
    /// # Errors
    /// Fails if the system's `socket` does.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let inner = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        inner.set_nonblocking(true)?;
        Ok(Self::of(inner))
    }

    fn of(inner: Socket) -> Self {
        Self {
            inner,
            simulated: Unconnected::default(),
        }
    }

    /// Converts a socket of std, which must be neither connected nor listening yet.
    ///
    /// The socket must be in non-blocking mode.
    pub fn from_std_stream(std_stream: std::net::TcpStream) -> Self {
        Self::of(std_stream.into())
    }

    fn socket(&self) -> &Socket {
        &self.inner
    }

    sys::options! {
        /// Returns `true` if the system probes idle connections (`SO_KEEPALIVE`).
        keepalive() -> bool = keepalive;
        /// Sets whether the system probes idle connections.
        set_keepalive(keepalive: bool) -> () = set_keepalive;
        /// Returns `true` if an address can be bound that closed connections still occupy
        /// (`SO_REUSEADDR`).
        reuseaddr() -> bool = reuse_address;
        /// Sets whether an address can be bound that closed connections still occupy.
        set_reuseaddr(reuseaddr: bool) -> () = set_reuse_address;
        /// Returns how long closing waits for unsent data (`SO_LINGER`); `None` does not wait.
        linger() -> Option<Duration> = linger;
        /// Sets how long closing waits for unsent data.
        #[deprecated = "`SO_LINGER` causes the socket to block the thread on drop"]
        set_linger(linger: Option<Duration>) -> () = set_linger;
        /// Returns `true` if small writes are sent at once (`TCP_NODELAY`).
        nodelay() -> bool = tcp_nodelay;
        /// Sets whether small writes are sent at once.
        set_nodelay(nodelay: bool) -> () = set_tcp_nodelay;
        /// Returns and clears the pending error of the socket, if any (`SO_ERROR`).
        take_error() -> Option<io::Error> = take_error;
    }

    /// Makes closing discard unsent data and send RST.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.inner.set_linger(Some(Duration::ZERO))
    }

    /// Returns the size of the send buffer (`SO_SNDBUF`) in bytes. Linux reports twice the value
    /// that was set.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.inner.send_buffer_size().map(saturated)
    }

    /// Sets the size of the send buffer, in bytes.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_send_buffer_size(size as usize)
    }

    /// Returns the size of the receive buffer (`SO_RCVBUF`) in bytes. Linux reports twice the value
    /// that was set.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.inner.recv_buffer_size().map(saturated)
    }

    /// Sets the size of the receive buffer, in bytes.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_recv_buffer_size(size as usize)
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does, or with [`io::ErrorKind::InvalidInput`] if the
    /// address is not an IP address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        if let Some(address) = self.simulated.local_addr() {
            return Ok(address);
        }
        self.inner.local_addr()?.as_socket().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "invalid address family (not IPv4 or IPv6)",
            )
        })
    }

    /// Binds the socket to an address.
    ///
    /// # Errors
    /// Fails if the system's `bind` does.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        if let Some(result) = self.simulated.bind(addr) {
            return result;
        }
        self.inner.bind(&addr.into())
    }

    /// Connects the socket to an address.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open connection.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        if let Some(result) = self.simulated.connect(addr).await {
            return Ok(TcpStream { inner: result? });
        }
        match self.inner.connect(&addr.into()) {
            Err(error) if !is_in_progress(&error) => return Err(error),
            _ => {}
        }
        let stream = Handle::current().tcp_stream_from_std(self.inner.into())?;
        stream
            .async_io(Interest::WRITABLE, || connected(&stream.socket()))
            .await?;
        Ok(stream)
    }

    /// Starts to listen. Up to `backlog` connections queue until accepted; the system may allow
    /// fewer.
    ///
    /// # Errors
    /// Fails if the system's `listen` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        if let Some(result) = self.simulated.listen(&self.inner) {
            return Ok(TcpListener { inner: result? });
        }
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Handle::current().tcp_listener_from_std(self.inner.into())
    }
}

#[cfg(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
))]
impl TcpSocket {
    sys::options! {
        /// Returns `true` if several sockets can share the address (`SO_REUSEPORT`).
        reuseport() -> bool = reuse_port;
        /// Sets whether several sockets, all with this option, can share the address.
        set_reuseport(reuseport: bool) -> () = set_reuse_port;
    }
}

sys::ip_options!(TcpSocket);

fn saturated(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn is_in_progress(error: &io::Error) -> bool {
    let in_progress = rustix::io::Errno::INPROGRESS.raw_os_error();
    error.raw_os_error() == Some(in_progress) || error.kind() == io::ErrorKind::WouldBlock
}

/// Returns the result of connecting once there is one. Readiness alone may be spurious.
fn connected(socket: &SockRef<'_>) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        result => result.map(drop),
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{IntoRawFd, OwnedFd, RawFd};

    use super::TcpSocket;

    crate::io::fd_io::descriptor!(TcpSocket: |socket| socket.inner.as_fd());

    impl IntoRawFd for TcpSocket {
        fn into_raw_fd(self) -> RawFd {
            self.inner.into_raw_fd()
        }
    }

    impl From<OwnedFd> for TcpSocket {
        fn from(fd: OwnedFd) -> Self {
            Self::of(fd.into())
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::os::windows::io::{
        AsRawSocket, AsSocket, BorrowedSocket, IntoRawSocket, OwnedSocket, RawSocket,
    };

    use super::TcpSocket;

    impl AsSocket for TcpSocket {
        fn as_socket(&self) -> BorrowedSocket<'_> {
            self.inner.as_socket()
        }
    }

    impl AsRawSocket for TcpSocket {
        fn as_raw_socket(&self) -> RawSocket {
            self.inner.as_raw_socket()
        }
    }

    impl IntoRawSocket for TcpSocket {
        fn into_raw_socket(self) -> RawSocket {
            self.inner.into_raw_socket()
        }
    }

    /// In place of Tokio's `FromRawSocket`, whose promise cannot be checked.
    impl From<OwnedSocket> for TcpSocket {
        fn from(socket: OwnedSocket) -> Self {
            Self::of(socket.into())
        }
    }
}
