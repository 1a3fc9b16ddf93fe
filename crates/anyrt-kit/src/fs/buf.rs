//! The buffer between a file and its reader or writer.

use std::fmt;
use std::io::IoSlice;

/// Bytes in transit to or from a disk. Its memory is reused by the next operation.
#[derive(Default)]
pub struct Buf {
    /// Initialized memory that never shrinks, so that it is zeroed only once.
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buf {
    /// Creates an empty buffer without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns `true` if the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops the bytes.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Replaces the contents by the first bytes of `bytes`, at most `limit`. Returns their number.
    pub fn fill(&mut self, bytes: &[u8], limit: usize) -> usize {
        self.fill_from(&[IoSlice::new(bytes)], limit)
    }

    /// Like [`fill`](Self::fill), from several slices.
    pub fn fill_from(&mut self, slices: &[IoSlice<'_>], limit: usize) -> usize {
        self.clear();
        for slice in slices {
            let bytes = &slice[..slice.len().min(limit - self.end)];
            let end = self.end + bytes.len();
            if end <= self.memory.len() {
                self.memory[self.end..end].copy_from_slice(bytes);
            } else {
                self.memory.truncate(self.end);
                self.memory.extend_from_slice(bytes);
            }
            self.end = end;
        }
        self.end
    }

    /// Clears the buffer and returns `size` bytes of memory to read into. Call
    /// [`set_filled`](Self::set_filled) with the number of bytes read.
    pub fn room(&mut self, size: usize) -> &mut [u8] {
        self.clear();
        if self.memory.len() < size {
            self.memory.resize(size, 0);
        }
        &mut self.memory[..size]
    }

    /// Sets the contents to the first `count` bytes of the memory.
    ///
    /// # Panics
    /// Panics if the memory is smaller than that.
    pub fn set_filled(&mut self, count: usize) {
        assert!(count <= self.memory.len(), "more was filled than there is");
        self.start = 0;
        self.end = count;
    }

    /// Passes the first bytes, at most `limit`, to `put` and removes them.
    pub(super) fn consume(&mut self, limit: usize, put: impl FnOnce(&[u8])) {
        let count = self.len().min(limit);
        put(&self.memory[self.start..self.start + count]);
        self.start += count;
        if self.is_empty() {
            self.clear();
        }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buf").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_from_all_slices_up_to_the_limit() {
        let mut buf = Buf::new();
        let slices = [
            IoSlice::new(b"abc"),
            IoSlice::new(b""),
            IoSlice::new(b"defg"),
        ];
        assert_eq!(buf.fill_from(&slices, 5), 5);
        assert_eq!(buf.as_slice(), b"abcde");
        // Beyond the end of the existing memory.
        assert_eq!(buf.fill_from(&slices, 100), 7);
        assert_eq!(buf.as_slice(), b"abcdefg");
        assert_eq!(buf.fill(b"xy", 100), 2);
        assert_eq!(buf.as_slice(), b"xy");
    }

    #[test]
    fn what_is_consumed_in_parts_comes_in_order() {
        let mut buf = Buf::new();
        buf.room(8)[..5].copy_from_slice(b"hello");
        buf.set_filled(5);
        let mut seen = Vec::new();
        buf.consume(2, |bytes| seen.extend_from_slice(bytes));
        assert_eq!((seen.as_slice(), buf.as_slice()), (&b"he"[..], &b"llo"[..]));
        buf.consume(9, |bytes| seen.extend_from_slice(bytes));
        assert_eq!((seen.as_slice(), buf.is_empty()), (&b"hello"[..], true));
    }
}
