//! The cases. Each file is a topic.

// A case that is not listed would never run.
#![deny(dead_code)]
#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use anyrt_core::runtime::Owner;

use crate::case::Cases;

mod abort;
mod blocking;
mod build;
mod cancel_safety;
mod channel;
mod context;
mod dns;
mod ended;
mod fairness;
mod fairness_io;
mod halves;
mod interval;
mod listener;
mod local;
mod moving;
mod nesting;
mod panic;
mod peer;
mod shutdown;
mod task;
mod tcp;
mod time;
mod timeout;
mod udp;
mod waker;

/// A topic for each: the cases of owners of one type, and the names of all cases.
macro_rules! topics {
    ($($topic:ident)*) => {
        pub(crate) fn all<O: Owner>() -> Cases<O> {
            let mut cases = Cases::new();
            $($topic::register(&mut cases);)*
            cases
        }

        pub(crate) fn names() -> Vec<String> {
            [$($topic::names()),*].concat()
        }
    };
}

topics! {
    task abort panic waker local
    nesting shutdown ended context build blocking
    time interval timeout fairness channel
    tcp listener halves udp dns moving cancel_safety fairness_io
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn no_two_cases_have_the_same_name() {
        let names = super::names();
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), unique.len());
    }
}
