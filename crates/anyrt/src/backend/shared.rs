//! The common part of the backends over the kit.

pub(crate) mod channel {
    pub(crate) use anyrt_kit::queue::{
        Receiver, Receiver as UnboundedReceiver, Sender, UnboundedSender,
    };
}

pub(crate) mod task {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use anyrt_core::JoinError;

    pub(crate) use anyrt_core::task::try_id;
    pub(crate) use anyrt_kit::executor::{
        TaskAbortHandle as AbortHandle, TaskHandle as JoinHandle,
    };

    beside_tokio! {
        pub(crate) fn poll_join<T>(
            handle: &mut JoinHandle<T>,
            cx: &mut Context<'_>,
        ) -> Poll<Result<T, JoinError>> {
            Pin::new(handle).poll(cx)
        }
    }
}

#[allow(unused_imports, reason = "those of the first enabled backend are used")]
pub(crate) mod local_set {
    pub(crate) use anyrt_kit::executor::local_set::{
        LocalEnterGuard, LocalSet, is_entered, is_polling, spawn_local,
    };
}

pub(crate) mod time {
    use std::time::Instant;

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    #[allow(dead_code, reason = "that of the first enabled backend is used")]
    #[inline]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    #[cfg(feature = "test-util")]
    #[track_caller]
    pub(crate) fn expect(done: Result<(), anyrt_core::error::ClockError>) {
        if let Err(error) = done {
            panic!("{error}");
        }
    }
}

pub(crate) mod net {
    use std::io::{self, IoSlice};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::tokio::io::ReadBuf;
    use futures_io::{AsyncRead, AsyncWrite};

    use crate::io::scratch::poll_into;

    beside_tokio! {
        pub(crate) fn poll_read(
            reader: &mut (impl AsyncRead + Unpin),
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            poll_into(buf, |room| Pin::new(reader).poll_read(cx, room))
        }
    }

    beside_tokio! {
        pub(crate) fn poll_write(
            writer: &mut (impl AsyncWrite + Unpin),
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(writer).poll_write(cx, buf)
        }
    }

    beside_tokio! {
        pub(crate) fn poll_write_vectored(
            writer: &mut (impl AsyncWrite + Unpin),
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(writer).poll_write_vectored(cx, bufs)
        }
    }
}

#[cfg(feature = "fs")]
pub(crate) mod fs {
    use std::fmt;
    use std::io;
    use std::task::{Context, Poll};

    use ::tokio::io::ReadBuf;
    use anyrt_kit::fs::{Disk, File};

    pub(crate) fn poll_read<D: Disk>(
        file: &mut File<D>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        file.poll_read_with(cx, buf.remaining(), |bytes| buf.put_slice(bytes))
    }

    /// Formats like Tokio, because the text appears in logs of programs.
    pub(crate) fn fmt<D: Disk>(file: &File<D>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("tokio::fs::File")
            .field("std", file.as_std())
            .finish()
    }
}

#[cfg(all(unix, feature = "signal"))]
pub(crate) mod signal {
    #[allow(unused_imports, reason = "the simulator has its own")]
    pub(crate) use crate::signal_hub::{Listener as Signal, listen};
}
