//! Where a read puts what it reads, on every backend.
#![cfg(unix)]

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;

use anyrt::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use anyrt::net::UnixStream;

async fn read(stream: &mut UnixStream, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf)).await
}

#[anyrt::test]
async fn only_what_was_read_is_initialized() -> io::Result<()> {
    let (mut one, mut two) = UnixStream::pair()?;
    let mut memory = [const { MaybeUninit::uninit() }; 16 * 1024];
    let mut buf = ReadBuf::uninit(&mut memory);
    for word in [&b"one"[..], b"two"] {
        one.write_all(word).await?;
        read(&mut two, &mut buf).await?;
    }
    assert_eq!(buf.filled(), b"onetwo");
    assert_eq!(buf.initialized().len(), 6);
    Ok(())
}

#[anyrt::test]
async fn what_is_initialized_is_read_into_as_it_is() -> io::Result<()> {
    let (one, mut two) = UnixStream::pair()?;
    one.writable().await?;
    // More than a read into memory that is not initialized takes at once.
    let size = one.try_write(&[7; 128 * 1024])?;
    assert!(size > 64 * 1024, "{size}");
    let mut memory = [0; 128 * 1024];
    let mut buf = ReadBuf::new(&mut memory);
    read(&mut two, &mut buf).await?;
    assert_eq!(buf.filled().len(), size);
    Ok(())
}
