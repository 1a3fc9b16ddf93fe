//! Kinds of readiness to wait for.

use std::fmt;
use std::ops;

use super::Ready;

/// One or more kinds of readiness to wait for.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Interest(u8);

impl Interest {
    /// Data, a connection, or the end of the stream.
    pub const READABLE: Self = Self(0b0001);
    /// Room to write, the end of connecting, or a closed reader.
    pub const WRITABLE: Self = Self(0b0010);
    /// An exceptional condition, such as out-of-band data. Reported by Linux and Android, and not
    /// by all other systems.
    pub const PRIORITY: Self = Self(0b0100);
    /// An error, such as an entry in a socket's error queue.
    pub const ERROR: Self = Self(0b1000);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::READABLE, "READABLE"),
        (Self::WRITABLE, "WRITABLE"),
        (Self::PRIORITY, "PRIORITY"),
        (Self::ERROR, "ERROR"),
    ];

    /// Returns `true` if it includes [`READABLE`](Self::READABLE).
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Returns `true` if it includes [`WRITABLE`](Self::WRITABLE).
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }

    /// Returns `true` if it includes [`PRIORITY`](Self::PRIORITY).
    pub const fn is_priority(self) -> bool {
        self.0 & Self::PRIORITY.0 != 0
    }

    /// Returns `true` if it includes [`ERROR`](Self::ERROR).
    pub const fn is_error(self) -> bool {
        self.0 & Self::ERROR.0 != 0
    }

    /// Returns the union of both.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns `self` without `other`, or `None` if nothing is left.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub fn remove(self, other: Self) -> Option<Self> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Self(left)),
        }
    }

    /// For runtime authors: returns the flags of Linux' epoll for it, edge-triggered.
    pub const fn epoll_flags(self) -> u32 {
        const IN: u32 = 0x1;
        const PRI: u32 = 0x2;
        const OUT: u32 = 0x4;
        const RDHUP: u32 = 0x2000;
        const ET: u32 = 1 << 31;
        let mut flags = ET;
        if self.is_readable() {
            flags |= IN | RDHUP;
        }
        if self.is_writable() {
            flags |= OUT;
        }
        if self.is_priority() {
            flags |= PRI;
        }
        // Errors are always reported.
        flags
    }

    /// Returns all kinds of readiness that satisfy it.
    pub const fn mask(self) -> Ready {
        let mut ready = Ready::EMPTY;
        if self.is_readable() {
            ready = ready.with(Ready::READABLE).with(Ready::READ_CLOSED);
        }
        if self.is_writable() {
            ready = ready.with(Ready::WRITABLE).with(Ready::WRITE_CLOSED);
        }
        if self.is_priority() {
            ready = ready.with(Ready::PRIORITY).with(Ready::READ_CLOSED);
        }
        if self.is_error() {
            ready = ready.with(Ready::ERROR);
        }
        ready
    }
}

impl ops::BitOr for Interest {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl ops::BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (interest, name) in Self::NAMES {
            if self.0 & interest.0 != 0 {
                write!(f, "{separator}{name}")?;
                separator = " | ";
            }
        }
        Ok(())
    }
}
