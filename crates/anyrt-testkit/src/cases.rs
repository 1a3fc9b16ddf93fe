//! The cases. Each file is a topic, named as the file of `anyrt-core` that makes the promises.

// A case that is not listed would never run.
#![deny(dead_code)]
#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use anyrt_core::runtime::Owner;

use crate::case::Cases;

mod cancel_safety;
mod dns;
mod fairness_io;
mod halves;
mod listener;
mod moving;
mod peer;
mod task;
mod tcp;
mod udp;

/// All cases, for owners of one type.
pub(crate) fn all<O: Owner>() -> Cases<O> {
    let mut cases = Cases::new();
    task::register(&mut cases);
    tcp::register(&mut cases);
    listener::register(&mut cases);
    moving::register(&mut cases);
    halves::register(&mut cases);
    udp::register(&mut cases);
    dns::register(&mut cases);
    cancel_safety::register(&mut cases);
    fairness_io::register(&mut cases);
    cases
}

/// The names of all cases.
pub(crate) fn names() -> Vec<String> {
    [
        task::names(),
        tcp::names(),
        listener::names(),
        moving::names(),
        halves::names(),
        udp::names(),
        dns::names(),
        cancel_safety::names(),
        fairness_io::names(),
    ]
    .concat()
}
