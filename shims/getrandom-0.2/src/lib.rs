//! `getrandom` 0.2, with bytes from the seed in simulations of anyrt; see the README of the folder.
#![forbid(unsafe_code)]

pub use getrandom::{Error, fill as getrandom, fill_uninit as getrandom_uninit};

/// As in `getrandom`, without effect: this system needs no function of the program's own.
#[macro_export]
macro_rules! register_custom_getrandom {
    ($path:path) => {};
}
