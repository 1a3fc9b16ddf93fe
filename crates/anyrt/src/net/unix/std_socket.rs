//! What Unix sockets have from those of std.

/// Methods and traits that a socket has from the socket of std in its field `io`.
macro_rules! std_socket {
    ($socket:ident) => {
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
            pub fn from_std(socket: std::os::unix::net::$socket) -> std::io::Result<Self> {
                $crate::io::fd_io::check_nonblocking(&socket)?;
                Self::new(socket)
            }

            #[track_caller]
            fn nonblocking(socket: std::os::unix::net::$socket) -> std::io::Result<Self> {
                socket.set_nonblocking(true)?;
                Self::new(socket)
            }

            /// Converts into the type of std. The socket stays in non-blocking mode.
            ///
            /// # Errors
            /// Never fails; the signature is Tokio's.
            pub fn into_std(self) -> std::io::Result<std::os::unix::net::$socket> {
                Ok(self.io.into_inner())
            }

            /// Returns the local address.
            ///
            /// # Errors
            /// Fails if the system's `getsockname` does.
            pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
                self.io.get_ref().local_addr().map(SocketAddr::shown)
            }

            /// Returns and clears the pending error of the socket, if any.
            ///
            /// # Errors
            /// Fails if the system's `getsockopt` does.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.io.get_ref().take_error()
            }
        }

        impl TryFrom<std::os::unix::net::$socket> for $socket {
            type Error = std::io::Error;

            /// See [`from_std`](Self::from_std).
            fn try_from(socket: std::os::unix::net::$socket) -> Result<Self, Self::Error> {
                Self::from_std(socket)
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.io.get_ref().fmt(f)
            }
        }

        $crate::io::fd_io::descriptor!($socket: |socket| {
            socket.io.get_ref().as_fd()
        });
    };
}
