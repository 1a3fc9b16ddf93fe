//! What a descriptor and an edge-triggered poller (epoll, kqueue) share: [`Source`]; [`Sources`] are all of one poller.
//!
//! The traits that a runtime with a reactor implements are in [`anyrt_core::readiness`].

mod source;
mod sources;

pub use source::{Event, Run, Seen, Source, gone, observe, unclosed};
pub use sources::Sources;
