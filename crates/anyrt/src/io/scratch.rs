//! Reads into memory that is not initialized, without unsafe code.
//!
//! Zeroing a buffer of many kilobytes before each small request costs more than copying the data:
//! so a read goes into memory that the thread zeroes once, and is copied from there.

use std::cell::Cell;
use std::io;
use std::task::{Poll, ready};

use ::tokio::io::ReadBuf;

/// Up to this size, zeroing is faster than copying.
const CLEARED: usize = 512;

/// The maximum size of one read into uninitialized memory.
const MOST: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads into the spare capacity of `buf`. `read` returns the number of bytes that it put at the
/// start of its slice.
#[inline]
pub(crate) fn poll_into(
    buf: &mut ReadBuf<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let initialized = buf.initialized().len() - buf.filled().len();
    let mut scratch = match buf.remaining() - initialized > CLEARED {
        true => Some(take_scratch(buf.remaining())),
        false => None,
    };
    // The one call of `read`, or it would not be inlined.
    let polled = read(match &mut scratch {
        Some((scratch, room)) => &mut scratch[..*room],
        None => buf.initialize_unfilled(),
    });
    if let Some((scratch, _)) = scratch {
        return put_scratch(buf, scratch, polled);
    }
    let count = ready!(polled)?;
    buf.advance(count);
    Poll::Ready(Ok(()))
}

/// Like [`poll_into`], for a datagram, with its sender. It is offered all of the capacity, because
/// what does not fit is lost.
pub(crate) fn poll_into_from<A>(
    buf: &mut ReadBuf<'_>,
    receive: impl FnOnce(&mut [u8]) -> Poll<io::Result<(usize, A)>>,
) -> Poll<io::Result<A>> {
    let (len, sender) = ready!(receive(buf.initialize_unfilled()))?;
    buf.advance(len);
    Poll::Ready(Ok(sender))
}

/// Returns memory that is initialized, and how much of it to read into.
#[inline(never)]
fn take_scratch(room: usize) -> (Vec<u8>, usize) {
    // Taken out of the slot, because `read` may call back into here; a thread that is exiting has
    // none.
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let room = room.min(MOST);
    if scratch.len() < room {
        scratch.resize(room.next_power_of_two(), 0);
    }
    (scratch, room)
}

/// Copies what was read, and keeps the memory for the next time.
#[inline(never)]
fn put_scratch(
    buf: &mut ReadBuf<'_>,
    scratch: Vec<u8>,
    polled: Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    if let Poll::Ready(Ok(count)) = polled {
        buf.put_slice(&scratch[..count]);
    }
    let _ = SCRATCH.try_with(|cell| cell.set(scratch));
    polled.map_ok(drop)
}
