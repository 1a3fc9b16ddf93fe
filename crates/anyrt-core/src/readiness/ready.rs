//! What a descriptor is ready for.

use std::fmt;
use std::ops;

/// What a descriptor is ready for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

impl Ready {
    /// No readiness.
    pub const EMPTY: Self = Self(0);
    /// It can be read.
    pub const READABLE: Self = Self(0b00_0001);
    /// It can be written.
    pub const WRITABLE: Self = Self(0b00_0010);
    /// The peer will send no more.
    pub const READ_CLOSED: Self = Self(0b00_0100);
    /// The peer accepts no more.
    pub const WRITE_CLOSED: Self = Self(0b00_1000);
    /// There is an exceptional condition, such as out-of-band data.
    pub const PRIORITY: Self = Self(0b01_0000);
    /// There is an error.
    pub const ERROR: Self = Self(0b10_0000);
    /// All kinds.
    pub const ALL: Self = Self(0b11_1111);

    /// Returns `true` if it is empty.
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// Returns `true` if a read would not wait, which includes the end of the stream.
    pub fn is_readable(self) -> bool {
        self.contains(Self::READABLE) || self.is_read_closed()
    }

    /// Returns `true` if a write would not wait, which includes a closed reader.
    pub fn is_writable(self) -> bool {
        self.contains(Self::WRITABLE) || self.is_write_closed()
    }

    /// Returns `true` if the peer will send no more.
    pub fn is_read_closed(self) -> bool {
        self.contains(Self::READ_CLOSED)
    }

    /// Returns `true` if the peer accepts no more.
    pub fn is_write_closed(self) -> bool {
        self.contains(Self::WRITE_CLOSED)
    }

    /// Returns `true` if there is an exceptional condition.
    pub fn is_priority(self) -> bool {
        self.contains(Self::PRIORITY)
    }

    /// Returns `true` if there is an error.
    pub fn is_error(self) -> bool {
        self.contains(Self::ERROR)
    }

    /// For runtime authors: returns the bits, of which [`ALL`](Self::ALL) are in use.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// For runtime authors: converts from bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// For runtime authors: converts from the flags of Linux' epoll and poll. Errors and hang-ups
    /// are distinguished as in Tokio.
    pub const fn from_epoll(events: u32) -> Self {
        const IN: u32 = 0x1;
        const PRI: u32 = 0x2;
        const OUT: u32 = 0x4;
        const ERR: u32 = 0x8;
        const HUP: u32 = 0x10;
        const RDHUP: u32 = 0x2000;
        const fn has(events: u32, flags: u32) -> bool {
            events & flags == flags
        }
        let mut ready = Self::EMPTY;
        if has(events, IN) || has(events, PRI) {
            ready = ready.with(Self::READABLE);
        }
        if has(events, OUT) {
            ready = ready.with(Self::WRITABLE);
        }
        if has(events, HUP) || has(events, IN | RDHUP) {
            ready = ready.with(Self::READ_CLOSED);
        }
        if has(events, HUP) || has(events, OUT | ERR) || events == ERR {
            ready = ready.with(Self::WRITE_CLOSED);
        }
        if has(events, PRI) {
            ready = ready.with(Self::PRIORITY);
        }
        if has(events, ERR) {
            ready = ready.with(Self::ERROR);
        }
        ready
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn contains(self, other: Self) -> bool {
        self & other == other
    }
}

impl ops::BitOr for Ready {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl ops::BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl ops::BitAnd for Ready {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl ops::Sub for Ready {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_closed", &self.is_read_closed())
            .field("is_write_closed", &self.is_write_closed())
            .field("is_error", &self.is_error())
            .field("is_priority", &self.is_priority())
            .finish()
    }
}
