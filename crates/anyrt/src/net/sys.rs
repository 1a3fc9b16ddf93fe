//! What the sockets of all backends share.

#[cfg(unix)]
pub(super) use crate::io::fd_io::check_nonblocking;

/// The system does not report it.
#[cfg(not(unix))]
pub(super) fn check_nonblocking<S>(_: &S) -> std::io::Result<()> {
    Ok(())
}

/// What every socket has: conversions, the address, an option, its descriptor (on Windows, its
/// handle), and how it is shown. `$convert` is the method of a runtime that converts it.
macro_rules! socket {
    ($socket:ident, $convert:ident) => {
        impl $socket {
            /// Converts a socket of std, which must be in non-blocking mode.
            ///
            /// # Errors
            /// Fails if the socket cannot be registered with the reactor.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime). With debug
            /// assertions, panics if the socket is in blocking mode.
            #[track_caller]
            pub fn from_std(socket: std::net::$socket) -> std::io::Result<Self> {
                sys::check_nonblocking(&socket)?;
                anyrt_core::net::FromStd::$convert(&$crate::runtime::Handle::current(), socket)
            }

            /// Converts into the type of std. The socket stays in non-blocking mode.
            ///
            /// # Errors
            /// Fails if the socket cannot be deregistered from the reactor.
            pub fn into_std(self) -> std::io::Result<std::net::$socket> {
                each!(self.inner, socket => socket.into_std())
            }

            forward! {
                /// Returns the local address, including the port that the system chose for port 0.
                ///
                /// # Errors
                /// Fails if the system's `getsockname` does.
                pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr>;

                /// Returns the number of hops that a packet may take (`IP_TTL`).
                ///
                /// # Errors
                /// Fails if the system's `getsockopt` does.
                pub fn ttl(&self) -> std::io::Result<u32>;

                /// Sets the number of hops that a packet may take.
                ///
                /// # Errors
                /// Fails if the system's `setsockopt` does.
                pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()>;
            }
        }

        #[cfg(unix)]
        $crate::io::fd_io::descriptor!($socket: |socket| {
            each!(&socket.inner, socket => socket.as_fd())
        });

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                each!(&self.inner, socket => socket.as_socket())
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $socket {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                std::os::windows::io::AsSocket::as_socket(self).as_raw_socket()
            }
        }

        impl TryFrom<std::net::$socket> for $socket {
            type Error = std::io::Error;

            /// See [`from_std`](Self::from_std).
            fn try_from(socket: std::net::$socket) -> Result<Self, Self::Error> {
                Self::from_std(socket)
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                each!(&self.inner, socket => std::fmt::Debug::fmt(socket, f))
            }
        }
    };
}
pub(super) use socket;

/// Methods that read or write a socket option, the same for all backends.
macro_rules! options {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $option:ident;)*) => {$(
        $(#[$attribute])*
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` or `setsockopt` does.
        pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
            self.socket().$option($($argument),*)
        }
    )*};
}
pub(super) use options;

/// Methods for the options of IP packets, the same for TCP and UDP.
macro_rules! ip_options {
    ($socket:ident) => {
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "cygwin"
        ))]
        impl $socket {
            sys::options! {
                /// Returns the traffic class of IPv6 packets (`IPV6_TCLASS`).
                tclass_v6() -> u32 = tclass_v6;
                /// Sets the traffic class of IPv6 packets.
                set_tclass_v6(tclass: u32) -> () = set_tclass_v6;
            }
        }

        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku"
        )))]
        impl $socket {
            sys::options! {
                /// Returns the type of service of IPv4 packets (`IP_TOS`).
                tos_v4() -> u32 = tos_v4;
                /// Sets the type of service of IPv4 packets.
                set_tos_v4(tos: u32) -> () = set_tos_v4;
                /// Returns the type of service of IPv4 packets.
                #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific.")]
                #[doc(hidden)]
                tos() -> u32 = tos_v4;
                /// Sets the type of service of IPv4 packets.
                #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific.")]
                #[doc(hidden)]
                set_tos(tos: u32) -> () = set_tos_v4;
            }
        }

        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        impl $socket {
            sys::options! {
                /// Returns the network device that the socket is bound to (`SO_BINDTODEVICE`).
                device() -> Option<Vec<u8>> = device;
                /// Binds the socket to a network device, or to none.
                bind_device(interface: Option<&[u8]>) -> () = bind_device;
            }
        }
    };
}
pub(super) use ip_options;

/// Defines the methods of a socket that wait for readiness and use it, from the four that the
/// others build on.
macro_rules! readiness {
    (
        $(#[$readable:meta])*
        $socket:ident: $poll_read_ready:ident, $poll_write_ready:ident;
        ready($ready:ident, $interest:ident) => $ready_body:expr;
        poll_ready($poll:ident, $cx:ident, $direction:ident) => $poll_body:expr;
        try_io($try:ident, $try_interest:ident, $try_f:ident) => $try_body:expr;
        async_io($async:ident, $async_interest:ident, $async_f:ident) => $async_body:expr;
    ) => {
        impl $socket {
            /// Waits until the descriptor is ready for any part of `interest`. Any number of tasks
            /// may wait.
            ///
            /// It may complete although the socket is not ready; the next operation then returns
            /// [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock), which clears the
            /// readiness.
            ///
            /// # Errors
            /// Fails if the runtime of the socket has ended.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn ready(
                &self,
                $interest: $crate::io::Interest,
            ) -> std::io::Result<$crate::io::Ready> {
                let $ready = self;
                $ready_body
            }

            /// Waits until data is available, or the end of it. Any number of tasks may wait.
            ///
            /// # Errors
            /// See [`ready`](Self::ready).
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            $(#[$readable])*
            pub async fn readable(&self) -> std::io::Result<()> {
                self.ready($crate::io::Interest::READABLE).await.map(drop)
            }

            /// Waits until there is room to write. Any number of tasks may wait.
            ///
            /// # Errors
            /// See [`ready`](Self::ready).
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn writable(&self) -> std::io::Result<()> {
                self.ready($crate::io::Interest::WRITABLE).await.map(drop)
            }

            /// Polls for readability. Only the task that polled last is woken.
            ///
            /// # Errors
            /// See [`ready`](Self::ready).
            pub fn $poll_read_ready(
                &self,
                $cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let ($poll, $direction) = (self, anyrt_core::readiness::Direction::Read);
                $poll_body
            }

            /// Polls for writability. Only the task that polled last is woken.
            ///
            /// # Errors
            /// See [`ready`](Self::ready).
            pub fn $poll_write_ready(
                &self,
                $cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let ($poll, $direction) = (self, anyrt_core::readiness::Direction::Write);
                $poll_body
            }

            /// Calls `f`, which makes a system call on this socket, if the socket is marked as
            /// ready for any part of `interest`. If `f` returns
            /// [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock), the mark is cleared.
            ///
            /// # Errors
            /// Returns [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock) if the socket
            /// is not ready, or else the error of `f`.
            pub fn try_io<R>(
                &self,
                $try_interest: $crate::io::Interest,
                $try_f: impl FnOnce() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                let $try = self;
                $try_body
            }

            /// Calls `f`, which makes a system call on this socket, each time the socket is ready
            /// for any part of `interest`, until `f` returns anything but
            /// [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock). Any number of tasks
            /// may wait.
            ///
            /// # Errors
            /// Fails if the runtime of the socket has ended, or with the error of `f`.
            ///
            /// # Cancel safety
            /// Cancel-safe if a call of `f` that fails has no effect.
            pub async fn async_io<R>(
                &self,
                $async_interest: $crate::io::Interest,
                mut $async_f: impl FnMut() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                let $async = self;
                $async_body
            }
        }

        impl anyrt_core::readiness::Readiness for $socket {
            async fn ready(
                &self,
                interest: $crate::io::Interest,
            ) -> std::io::Result<$crate::io::Ready> {
                self.ready(interest).await
            }

            fn poll_ready(
                &self,
                $cx: &mut std::task::Context<'_>,
                $direction: anyrt_core::readiness::Direction,
            ) -> std::task::Poll<std::io::Result<()>> {
                let $poll = self;
                $poll_body
            }

            fn try_io<R>(
                &self,
                interest: $crate::io::Interest,
                operation: impl FnOnce() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                self.try_io(interest, operation)
            }

            async fn async_io<R>(
                &self,
                interest: $crate::io::Interest,
                operation: impl FnMut() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                self.async_io(interest, operation).await
            }
        }
    };
}
pub(super) use readiness;
