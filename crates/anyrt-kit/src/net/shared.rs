//! Streams whose I/O works through a shared reference.

/// For runtime authors: implements `AsyncRead` and `AsyncWrite` for a stream that implements them
/// for its shared reference.
///
/// ```text
/// shared_io!(TcpStream);
/// shared_io!(for [P: Poller] TcpStream<P>);
/// ```
#[macro_export]
macro_rules! shared_io {
    (for [$($generics:tt)*] $stream:ty) => {
        impl <$($generics)*> $crate::__private::AsyncRead for $stream {
            #[inline]
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::std::pin::Pin::new(&mut &*self).poll_read(cx, buf)
            }

            #[inline]
            fn poll_read_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::std::pin::Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
            }
        }

        impl <$($generics)*> $crate::__private::AsyncWrite for $stream {
            #[inline]
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::std::pin::Pin::new(&mut &*self).poll_write(cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::std::pin::Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::std::pin::Pin::new(&mut &*self).poll_flush(cx)
            }

            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::std::pin::Pin::new(&mut &*self).poll_close(cx)
            }
        }
    };
    ($stream:ty) => {
        $crate::shared_io!(for [] $stream);
    };
}

/// For runtime authors: the halves of such a stream, within its implementation of
/// [`TcpStream`](anyrt_core::TcpStream).
#[macro_export]
macro_rules! shared_halves {
    () => {
        type OwnedReadHalf = $crate::__private::net::OwnedReadHalf<Self>;
        type OwnedWriteHalf = $crate::__private::net::OwnedWriteHalf<Self>;

        fn into_split(self) -> (Self::OwnedReadHalf, Self::OwnedWriteHalf) {
            $crate::__private::net::into_split(self)
        }

        fn reunite(
            read: Self::OwnedReadHalf,
            write: Self::OwnedWriteHalf,
        ) -> ::std::result::Result<
            Self,
            $crate::__private::ReuniteError<Self::OwnedReadHalf, Self::OwnedWriteHalf>,
        > {
            $crate::__private::net::reunite(read, write)
        }
    };
}
