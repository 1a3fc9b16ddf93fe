//! Files, which are Tokio's own.

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::future::Future;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use tokio::fs::FileTimes;
use tokio::io::ReadBuf;

use crate::runtime::TokioRuntime;

/// An open file.
pub struct File {
    inner: tokio::fs::File,
    home: Option<TokioRuntime>,
    /// The seek of `poll_seek` in progress.
    seeking: Option<SeekFrom>,
}

/// Converts a file of std, whose operations run on the current Tokio runtime, or on `home` if there
/// is none.
pub fn from_std(std: std::fs::File, home: Option<TokioRuntime>) -> File {
    File::new(tokio::fs::File::from_std(std), home)
}

impl File {
    /// Converts a file of Tokio. Its operations run on the current Tokio runtime, or on `home` if
    /// there is none.
    pub fn new(inner: tokio::fs::File, home: Option<TokioRuntime>) -> Self {
        Self {
            inner,
            home,
            seeking: None,
        }
    }

    /// Returns Tokio's own type.
    pub fn as_inner(&self) -> &tokio::fs::File {
        &self.inner
    }

    /// Converts into Tokio's own type.
    pub fn into_inner(self) -> tokio::fs::File {
        self.inner
    }

    /// See [`tokio::fs::File::max_buf_size`].
    pub fn max_buf_size(&self) -> usize {
        self.inner.max_buf_size()
    }

    /// See [`tokio::fs::File::set_max_buf_size`].
    ///
    /// # Panics
    /// Panics if it is zero.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        self.inner.set_max_buf_size(max_buf_size);
    }

    /// See [`tokio::fs::File::sync_all`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.at_home(self.inner.sync_all()).await
    }

    /// See [`tokio::fs::File::sync_data`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.at_home(self.inner.sync_data()).await
    }

    /// See [`tokio::fs::File::set_len`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        self.at_home(self.inner.set_len(len)).await
    }

    /// See [`tokio::fs::File::metadata`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.at_home(self.inner.metadata()).await
    }

    /// See [`tokio::fs::File::try_clone`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn try_clone(&self) -> io::Result<Self> {
        let inner = self.at_home(self.inner.try_clone()).await?;
        Ok(Self::new(inner, self.home.clone()))
    }

    /// See [`tokio::fs::File::into_std`].
    ///
    /// # Panics
    /// Returns the error of Tokio's method.
    pub async fn into_std(self) -> std::fs::File {
        let Self { inner, home, .. } = self;
        within(home.as_ref(), inner.into_std()).await
    }

    /// See [`tokio::fs::File::try_into_std`].
    ///
    /// # Errors
    /// Returns the file itself if an operation is in progress.
    #[expect(clippy::result_large_err, reason = "Tokio's signature")]
    pub fn try_into_std(self) -> Result<std::fs::File, Self> {
        let Self { inner, home, .. } = self;
        inner.try_into_std().map_err(|inner| Self::new(inner, home))
    }

    /// See [`tokio::fs::File::set_permissions`].
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.at_home(self.inner.set_permissions(permissions)).await
    }

    /// See [`tokio::fs::File::set_times`]. `None` keeps a time.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub async fn set_times(
        &self,
        accessed: Option<SystemTime>,
        modified: Option<SystemTime>,
    ) -> io::Result<()> {
        let mut times = FileTimes::new();
        if let Some(accessed) = accessed {
            times = times.set_accessed(accessed);
        }
        if let Some(modified) = modified {
            times = times.set_modified(modified);
        }
        self.at_home(self.inner.set_times(times)).await
    }

    /// See [`tokio::io::AsyncSeek::start_seek`].
    ///
    /// # Errors
    /// Fails if an operation is in progress.
    pub fn start_seek(&mut self, to: SeekFrom) -> io::Result<()> {
        self.enter(
            |file, _| tokio::io::AsyncSeek::start_seek(file, to),
            &mut (),
        )
    }

    /// See [`tokio::io::AsyncSeek::poll_complete`].
    ///
    /// # Errors
    /// Fails if the system's `lseek` does.
    pub fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.enter(tokio::io::AsyncSeek::poll_complete, cx)
    }

    fn enter<C, T>(
        &mut self,
        operation: impl FnOnce(Pin<&mut tokio::fs::File>, &mut C) -> T,
        cx: &mut C,
    ) -> T {
        // The next operation consumes the result of an abandoned seek.
        self.seeking = None;
        let entered = home_unless_current(self.home.as_ref()).map(|home| home.as_inner().enter());
        let result = operation(Pin::new(&mut self.inner), cx);
        drop(entered);
        result
    }

    async fn at_home<F: Future>(&self, operation: F) -> F::Output {
        within(self.home.as_ref(), operation).await
    }
}

async fn within<F: Future>(home: Option<&TokioRuntime>, operation: F) -> F::Output {
    let mut operation = pin!(operation);
    std::future::poll_fn(|cx| {
        let _entered = home_unless_current(home).map(|home| home.as_inner().enter());
        operation.as_mut().poll(cx)
    })
    .await
}

fn home_unless_current(home: Option<&TokioRuntime>) -> Option<&TokioRuntime> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => None,
        Err(_) => home,
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl tokio::io::AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().enter(
            |file, cx| tokio::io::AsyncRead::poll_read(file, cx, buf),
            cx,
        )
    }
}

impl tokio::io::AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().enter(
            |file, cx| tokio::io::AsyncWrite::poll_write(file, cx, buf),
            cx,
        )
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().enter(
            |file, cx| tokio::io::AsyncWrite::poll_write_vectored(file, cx, bufs),
            cx,
        )
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().enter(tokio::io::AsyncWrite::poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .enter(tokio::io::AsyncWrite::poll_shutdown, cx)
    }
}

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(tokio::io::AsyncRead::poll_read(self, cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(self, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write_vectored(self, cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(self, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(self, cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let file = self.get_mut();
        if file.seeking.take() != Some(to) {
            ready!(file.poll_complete(cx))?;
            file.start_seek(to)?;
        }
        let position = file.poll_complete(cx);
        file.seeking = position.is_pending().then_some(to);
        position
    }
}
