//! The code of the port guide, compiled and run as documentation tests; `tokio` in it is anyrt.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/porting.md")]
pub mod porting {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/porting.zh-CN.md")]
pub mod porting_zh_cn {}
