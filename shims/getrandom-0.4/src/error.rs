//! Errors, as the number that they are in all versions.

use std::fmt;
use std::io;
use std::num::NonZeroU32;

use rustix::io::Errno;

/// The type of the system's error numbers.
pub type RawOsError = i32;

/// Why there are no random bytes: an error number of the system, or a number from [`Error::INTERNAL_START`] on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Error(NonZeroU32);

impl Error {
    /// Numbers below are the system's.
    pub const INTERNAL_START: u32 = 1 << 31;
    /// Numbers from here on are the user's.
    pub const CUSTOM_START: u32 = (1 << 31) + (1 << 30);
    /// There is no source on this system.
    pub const UNSUPPORTED: Self = Self::internal(0);
    /// The system has failed without a number.
    pub const ERRNO_NOT_POSITIVE: Self = Self::internal(1);
    /// Something that cannot happen.
    pub const UNEXPECTED: Self = Self::internal(2);

    const fn internal(number: u32) -> Self {
        match NonZeroU32::new(Self::INTERNAL_START + number) {
            Some(code) => Self(code),
            None => panic!("it is above zero"),
        }
    }

    /// An error of the user's.
    pub const fn new_custom(number: u16) -> Self {
        match NonZeroU32::new(Self::CUSTOM_START + number as u32) {
            Some(code) => Self(code),
            None => panic!("it is above zero"),
        }
    }

    pub(crate) fn from_errno(errno: Errno) -> Self {
        let code = u32::try_from(errno.raw_os_error()).ok();
        code.and_then(NonZeroU32::new)
            .map_or(Self::ERRNO_NOT_POSITIVE, Self)
    }

    /// Returns the error number of the system, if it is one.
    pub fn raw_os_error(self) -> Option<RawOsError> {
        i32::try_from(self.0.get()).ok()
    }

    /// Returns the number.
    pub const fn code(self) -> NonZeroU32 {
        self.0
    }
}

impl From<NonZeroU32> for Error {
    fn from(code: NonZeroU32) -> Self {
        Self(code)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno).fmt(f),
            None => write!(f, "no random bytes: error {:#x}", self.0),
        }
    }
}

impl std::error::Error for Error {}
