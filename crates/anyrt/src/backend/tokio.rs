//! The items of the Tokio backend: mostly those of its crate, since Tokio's semantics are the
//! contract.

pub(crate) use anyrt_tokio::runtime::{EnterGuard, Runtime};
pub(crate) use anyrt_tokio::{KIND, TokioRuntime as Handle, channel, local_set};

pub(crate) fn is_in_application() -> bool {
    Handle::try_current().is_some()
}

pub(crate) fn make_default(_: &Handle) -> bool {
    // It is entered on the thread that uses it; see `enter_default`.
    true
}

/// Tokio's timers and sockets need its context, so it stays entered on this thread. A runtime that
/// anyrt or the application enters later takes precedence until it is left.
pub(crate) fn enter_default(handle: &Handle) {
    std::mem::forget(handle.as_inner().enter());
}

pub(crate) mod task {
    use std::future::Future;

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use anyrt_core::JoinError;

    pub(crate) use anyrt_tokio::blocking::{block_in_place, spawn_blocking};
    pub(crate) use anyrt_tokio::task::{AbortHandle, JoinHandle, spawn, spawn_local, try_id};
    /// Tokio fills its account by itself.
    pub(crate) use std::convert::identity as budgeted;

    #[inline]
    pub(crate) fn poll_join<T>(
        handle: &mut JoinHandle<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        Pin::new(handle).poll(cx)
    }
}

pub(crate) mod join_set {
    use std::future::Future;

    use super::task::AbortHandle;

    pub(crate) use anyrt_tokio::join_set::JoinSet;

    #[inline]
    #[track_caller]
    pub(crate) fn spawn<T, F>(set: &mut JoinSet<T>, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        set.spawn(future)
    }

    #[track_caller]
    pub(crate) fn spawn_blocking<T, F>(set: &mut JoinSet<T>, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        set.spawn_blocking(job)
    }
}

pub(crate) mod time {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use anyrt_core::Timer;
    use anyrt_core::time::saturating_add;

    use super::Handle;

    pub(crate) use anyrt_tokio::time::{Interval, Sleep, interval_at, now, sleep, sleep_until};
    #[cfg(feature = "test-util")]
    pub(crate) use anyrt_tokio::time::{advance, pause, resume};

    /// The timer of a timeout. It takes 60 instructions less than `sleep`, and as many as Tokio's
    /// own.
    #[inline]
    #[track_caller]
    pub(crate) fn limit(duration: Duration) -> Sleep {
        sleep_until(saturating_add(now(), duration))
    }

    pub(crate) fn sleep_on(handle: &Handle, deadline: Instant) -> Sleep {
        handle.sleep_until(deadline)
    }

    pub(crate) fn renew(handle: &Handle, sleep: Pin<&mut Sleep>, deadline: Instant) {
        handle.renew(sleep, deadline);
    }

    #[inline]
    pub(crate) fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        sleep.poll(cx)
    }
}

pub(crate) mod net {
    use std::io::{self, IoSlice};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    pub(crate) use anyrt_tokio::net::{TcpListener, TcpStream, UdpSocket, connect};

    #[inline]
    pub(crate) fn poll_read(
        reader: &mut TcpStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(reader), cx, buf)
    }

    #[inline]
    pub(crate) fn poll_write(
        writer: &mut TcpStream,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(writer), cx, buf)
    }

    #[inline]
    pub(crate) fn poll_write_vectored(
        writer: &mut TcpStream,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(writer), cx, bufs)
    }
}

#[cfg(unix)]
pub(crate) mod readiness {
    pub(crate) use anyrt_tokio::readiness::{AsyncFd, Event};
}

#[cfg(feature = "fs")]
pub(crate) mod fs {
    use std::fmt;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::tokio::io::{AsyncRead, ReadBuf};

    pub(crate) use anyrt_tokio::fs::{File, from_std, from_std as opened};

    pub(crate) fn poll_read(
        file: &mut File,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(file), cx, buf)
    }

    pub(crate) fn fmt(file: &File, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(file, f)
    }
}

#[cfg(all(unix, feature = "signal"))]
pub(crate) use anyrt_tokio::signal;
