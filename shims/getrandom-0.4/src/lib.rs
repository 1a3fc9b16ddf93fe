//! `getrandom`, with bytes from the seed in simulations of anyrt; see the README of the folder.
//!
//! What the versions 0.2 and 0.3 have is here as well: they are this crate under other numbers.
#![forbid(unsafe_code)]

mod error;
#[cfg(feature = "sys_rng")]
mod sys_rng;

use std::mem::MaybeUninit;

use anyrt_sim::system;
use rustix::rand::GetRandomFlags;

pub use error::{Error, RawOsError};
#[cfg(feature = "sys_rng")]
pub use rand_core;
#[cfg(feature = "sys_rng")]
pub use sys_rng::SysRng;

/// Fills `dest` with random bytes.
///
/// # Errors
/// Fails if the system's `getrandom` does.
pub fn fill(dest: &mut [u8]) -> Result<(), Error> {
    if system::fill(dest) {
        return Ok(());
    }
    let mut rest = dest;
    while !rest.is_empty() {
        match rustix::rand::getrandom(&mut *rest, GetRandomFlags::empty()) {
            Ok(done) => rest = &mut rest[done..],
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::from_errno(errno)),
        }
    }
    Ok(())
}

/// Fills `dest`, which need not be initialized, with random bytes.
///
/// # Errors
/// Fails if the system's `getrandom` does. [`Error::UNEXPECTED`] if the system stops in the midst, which it does only for
/// more than 256 bytes.
pub fn fill_uninit(dest: &mut [MaybeUninit<u8>]) -> Result<&mut [u8], Error> {
    if dest.is_empty() {
        return Ok(&mut []);
    }
    // The system's bytes come first in any case: they are what initializes the memory without unsafe code.
    let filled = rustix::rand::getrandom(dest, GetRandomFlags::empty());
    let (bytes, rest) = filled.map_err(Error::from_errno)?;
    if !rest.is_empty() {
        return Err(Error::UNEXPECTED);
    }
    system::fill(bytes);
    Ok(bytes)
}

/// Returns a random number.
///
/// # Errors
/// As [`fill`].
pub fn u32() -> Result<u32, Error> {
    let mut bytes = [0; 4];
    fill(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Returns a random number.
///
/// # Errors
/// As [`fill`].
pub fn u64() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
