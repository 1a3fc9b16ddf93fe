//! The generator of `rand_core` over the crate's functions.

use rand_core::{TryCryptoRng, TryRng};

use crate::Error;

/// Random numbers of the system, or of the seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SysRng;

impl TryRng for SysRng {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        crate::u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        crate::u64()
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        crate::fill(dest)
    }
}

impl TryCryptoRng for SysRng {}
