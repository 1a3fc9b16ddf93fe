//! Signals.

use std::io;
use std::os::raw::c_int;
use std::task::{Context, Poll};

use super::never;

absent!(Signal SignalKind);

pub(crate) fn signal(_: SignalKind) -> io::Result<Signal> {
    never()
}

impl SignalKind {
    pub(crate) fn from_raw(_: c_int) -> Self {
        never()
    }
}

impl Signal {
    pub(crate) fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Option<()>> {
        never()
    }
}
