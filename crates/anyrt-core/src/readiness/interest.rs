//! What one waits for.

use std::fmt;
use std::ops;

use super::Ready;

/// What one waits for; never nothing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Interest(u8);

impl Interest {
    /// Data, a connection, the end of what is read.
    pub const READABLE: Self = Self(0b0001);
    /// Room to write, the end of connecting, that nobody reads any more.
    pub const WRITABLE: Self = Self(0b0010);
    /// An exceptional condition, such as out-of-band data. Linux and Android tell of it, other systems need not.
    pub const PRIORITY: Self = Self(0b0100);
    /// An error, such as an entry in a socket's error queue.
    pub const ERROR: Self = Self(0b1000);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::READABLE, "READABLE"),
        (Self::WRITABLE, "WRITABLE"),
        (Self::PRIORITY, "PRIORITY"),
        (Self::ERROR, "ERROR"),
    ];

    /// Whether it includes being readable.
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READABLE.0 != 0
    }

    /// Whether it includes being writable.
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITABLE.0 != 0
    }

    /// Whether it includes exceptional conditions.
    pub const fn is_priority(self) -> bool {
        self.0 & Self::PRIORITY.0 != 0
    }

    /// Whether it includes errors.
    pub const fn is_error(self) -> bool {
        self.0 & Self::ERROR.0 != 0
    }

    /// Both.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in `self` and not in `other`; `None` when nothing is left.
    #[must_use = "this returns the result of the operation, without modifying the original"]
    pub fn remove(self, other: Self) -> Option<Self> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Self(left)),
        }
    }

    /// For runtime authors: the flags with which Linux' epoll watches for it, edge-triggered.
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
        // Errors are reported always.
        flags
    }

    /// All readiness that satisfies it.
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
