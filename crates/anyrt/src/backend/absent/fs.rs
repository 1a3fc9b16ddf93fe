//! Files.

use std::fs::{Metadata, Permissions};
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use ::tokio::io::{self as tokio_io, ReadBuf};

use super::{Handle, never};

absent!(File);

pub(crate) use from_std as opened;

pub(crate) fn from_std(_: std::fs::File, _: Option<Handle>) -> File {
    never()
}

impl File {
    pub(crate) fn as_std(&self) -> &std::fs::File {
        never()
    }

    #[cfg(unix)]
    pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        never()
    }

    pub(crate) async fn into_std(self) -> std::fs::File {
        never()
    }

    pub(crate) fn try_into_std(self) -> Result<std::fs::File, Self> {
        never()
    }

    pub(crate) async fn sync_all(&self) -> io::Result<()> {
        never()
    }

    pub(crate) async fn sync_data(&self) -> io::Result<()> {
        never()
    }

    pub(crate) async fn set_len(&self, _: u64) -> io::Result<()> {
        never()
    }

    pub(crate) async fn metadata(&self) -> io::Result<Metadata> {
        never()
    }

    pub(crate) async fn try_clone(&self) -> io::Result<Self> {
        never()
    }

    pub(crate) async fn set_permissions(&self, _: Permissions) -> io::Result<()> {
        never()
    }

    pub(crate) async fn set_times(
        &self,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
    ) -> io::Result<()> {
        never()
    }

    pub(crate) fn max_buf_size(&self) -> usize {
        never()
    }

    pub(crate) fn set_max_buf_size(&mut self, _: usize) {
        never()
    }

    pub(crate) fn start_seek(&mut self, _: SeekFrom) -> io::Result<()> {
        never()
    }

    pub(crate) fn poll_complete(&mut self, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        never()
    }

    pub(crate) fn poll_read_with(
        &mut self,
        _: &mut Context<'_>,
        _: usize,
        _: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        never()
    }
}

impl tokio_io::AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        never()
    }
}

impl futures_io::AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        never()
    }
}

impl futures_io::AsyncWrite for File {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        never()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        never()
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        never()
    }
}

impl futures_io::AsyncSeek for File {
    fn poll_seek(self: Pin<&mut Self>, _: &mut Context<'_>, _: SeekFrom) -> Poll<io::Result<u64>> {
        never()
    }
}
