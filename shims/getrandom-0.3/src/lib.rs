//! `getrandom` 0.3, with bytes from the seed in simulations of anyrt; see the README of the folder.
#![forbid(unsafe_code)]

pub use getrandom::{Error, fill, fill_uninit, u32, u64};
