//! The halves of a stream, borrowed and owned. Both work through a shared reference to the stream.

/// Defines the halves of the stream type `$Stream`, whose addresses have the type `$Address`; both
/// are in scope. `$io` is what reads and writes for a stream.
macro_rules! halves {
    ($Stream:ident, $Address:ident, |$stream:ident| $io:expr) => {
        #[doc = concat!("The read half that [`", stringify!($Stream), "::split`] returns.")]
        #[derive(Debug)]
        pub struct ReadHalf<'a>(&'a $Stream);

        #[doc = concat!("The write half that [`", stringify!($Stream), "::split`] returns.")]
        ///
        /// Shutting it down ends the stream for the peer. Dropping it does not affect the
        /// connection.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $Stream);

        #[doc = concat!("The read half that [`", stringify!($Stream), "::into_split`] returns.")]
        ///
        /// Dropping it alone does not affect the connection.
        #[derive(Debug)]
        pub struct OwnedReadHalf {
            stream: std::sync::Arc<$Stream>,
        }

        #[doc = concat!("The write half that [`", stringify!($Stream), "::into_split`] returns.")]
        ///
        /// Shutting it down or dropping it ends the stream for the peer; [`forget`](Self::forget)
        /// does not.
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: std::sync::Arc<$Stream>,
            shutdown_on_drop: bool,
        }

        /// The halves belong to different streams. Contains both.
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl std::fmt::Display for ReuniteError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("tried to reunite halves that are not from the same socket")
            }
        }

        impl std::error::Error for ReuniteError {}

        pub(super) fn split(stream: &mut $Stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
            (ReadHalf(stream), WriteHalf(stream))
        }

        pub(super) fn into_split(stream: $Stream) -> (OwnedReadHalf, OwnedWriteHalf) {
            let stream = std::sync::Arc::new(stream);
            let write = OwnedWriteHalf {
                stream: std::sync::Arc::clone(&stream),
                shutdown_on_drop: true,
            };
            (OwnedReadHalf { stream }, write)
        }

        impl OwnedReadHalf {
            /// Puts the halves together into the stream that they came from.
            ///
            /// # Errors
            /// Returns both halves if they are not from the same stream.
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$Stream, ReuniteError> {
                if !std::sync::Arc::ptr_eq(&self.stream, &other.stream) {
                    return Err(ReuniteError(self, other));
                }
                other.forget();
                match std::sync::Arc::try_unwrap(self.stream) {
                    Ok(stream) => Ok(stream),
                    Err(_) => unreachable!("a stream has two halves"),
                }
            }
        }

        impl OwnedWriteHalf {
            /// Puts the halves together into the stream that they came from.
            ///
            /// # Errors
            /// Returns both halves if they are not from the same stream.
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$Stream, ReuniteError> {
                other.reunite(self)
            }

            /// Drops the half without ending the stream for the peer. The connection closes with
            /// the read half.
            pub fn forget(mut self) {
                self.shutdown_on_drop = false;
            }

            /// Done here, so dropping the half must not do it again.
            fn close_write(&mut self) -> std::io::Result<()> {
                self.stream.close_write()?;
                self.shutdown_on_drop = false;
                Ok(())
            }
        }

        impl Drop for OwnedWriteHalf {
            fn drop(&mut self) {
                if self.shutdown_on_drop {
                    // No caller is left to receive an error.
                    let _ = self.stream.close_write();
                }
            }
        }

        $crate::net::halves::half!($Stream, $Address: ReadHalf<'_>, |half| half.0);
        $crate::net::halves::half!($Stream, $Address: WriteHalf<'_>, |half| half.0);
        $crate::net::halves::half!($Stream, $Address: OwnedReadHalf, |half| &half.stream);
        $crate::net::halves::half!($Stream, $Address: OwnedWriteHalf, |half| &half.stream);
        $crate::net::halves::read_half!($Stream: ReadHalf<'_>, |$stream| $io);
        $crate::net::halves::read_half!($Stream: OwnedReadHalf, |$stream| $io);
        $crate::net::halves::write_half!($Stream: WriteHalf<'_>, |$stream| $io, |half| half.0.close_write());
        $crate::net::halves::write_half!($Stream: OwnedWriteHalf, |$stream| $io, |half| half.close_write());
    };
}

/// Methods of all halves.
macro_rules! half {
    ($Stream:ident, $Address:ident: $half:ty, |$self:ident| $stream:expr) => {
        impl AsRef<$Stream> for $half {
            fn as_ref(&self) -> &$Stream {
                let $self = self;
                $stream
            }
        }

        impl $half {
            #[doc = concat!("See [`", stringify!($Stream), "::ready`].")]
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn ready(
                &self,
                interest: $crate::io::Interest,
            ) -> std::io::Result<$crate::io::Ready> {
                self.as_ref().ready(interest).await
            }

            /// Returns the address of the peer.
            ///
            /// # Errors
            /// Fails if the system's `getpeername` does.
            pub fn peer_addr(&self) -> std::io::Result<$Address> {
                self.as_ref().peer_addr()
            }

            /// Returns the local address.
            ///
            /// # Errors
            /// Fails if the system's `getsockname` does.
            pub fn local_addr(&self) -> std::io::Result<$Address> {
                self.as_ref().local_addr()
            }
        }
    };
}

macro_rules! read_half {
    ($Stream:ident: $half:ty, |$stream:ident| $io:expr) => {
        impl $half {
            #[doc = concat!("See [`", stringify!($Stream), "::readable`].")]
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn readable(&self) -> std::io::Result<()> {
                self.as_ref().readable().await
            }

            #[doc = concat!("See [`", stringify!($Stream), "::try_read`].")]
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            #[doc = concat!("See [`", stringify!($Stream), "::try_read_vectored`].")]
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read_vectored(
                &self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }

            #[doc = concat!("See [`", stringify!($Stream), "::try_read_buf`].")]
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }
        }

        $crate::net::halves::shared_read!($half: |half| {
            let $stream = half.as_ref();
            $io
        });
    };
}

macro_rules! write_half {
    ($Stream:ident: $half:ty, |$stream:ident| $io:expr, |$closed:ident| $close:expr) => {
        impl $half {
            #[doc = concat!("See [`", stringify!($Stream), "::writable`].")]
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn writable(&self) -> std::io::Result<()> {
                self.as_ref().writable().await
            }

            #[doc = concat!("See [`", stringify!($Stream), "::try_write`].")]
            ///
            /// # Errors
            /// The same as there.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            #[doc = concat!("See [`", stringify!($Stream), "::try_write_vectored`].")]
            ///
            /// # Errors
            /// The same as there.
            pub fn try_write_vectored(
                &self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }
        }

        $crate::net::halves::shared_write!(
            $half: |half| {
                let $stream = half.as_ref();
                $io
            },
            |$closed| $close
        );
    };
}

/// Implements the traits for reading by what reads through a shared reference.
macro_rules! shared_read {
    ($reader:ty: |$self:ident| $io:expr) => {
        impl ::tokio::io::AsyncRead for $reader {
            #[inline]
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut ::tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let $self = &*self;
                $io.poll_read_shared(cx, buf)
            }
        }

        $crate::io::bridge::futures_read!($reader);
    };
}

/// Implements the traits for writing. `$close` shuts the write side down.
macro_rules! shared_write {
    ($writer:ty: |$self:ident| $io:expr, |$closed:ident| $close:expr) => {
        impl ::tokio::io::AsyncWrite for $writer {
            #[inline]
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $self = &*self;
                $io.poll_write_shared(cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $self = &*self;
                $io.poll_write_vectored_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                // A single system call on every backend.
                true
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                // A write is a system call; nothing is buffered.
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                // A peer that is already gone is no error.
                let $closed = self.get_mut();
                std::task::Poll::Ready($close)
            }
        }

        $crate::io::bridge::futures_write!($writer);
    };
}

pub(crate) use {half, halves, read_half, shared_read, shared_write, write_half};
