//! The cases. Each file is a topic.

// A case that is not listed would never run.
#![deny(dead_code)]
#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use anyrt_core::FromStd;
use anyrt_core::runtime::Owner;
use libtest_mimic::Trial;

use crate::Sockets;
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
mod readiness;
mod shutdown;
mod task;
mod tcp;
mod time;
mod timeout;
mod udp;
mod waker;

/// One topic per file: the cases for owners of one type, and the names of all cases.
macro_rules! topics {
    ($($topic:ident)*) => {
        /// All cases but those of sockets with readiness, which an erased runtime lacks.
        pub(crate) fn of_erased<O: Owner<Handle: FromStd>>() -> Cases<O> {
            let mut cases = Cases::new();
            $($topic::register(&mut cases);)*
            $($topic::register_from_std(&mut cases);)*
            cases
        }

        pub(crate) fn names() -> Vec<String> {
            [$($topic::names(),)* readiness::names()].concat()
        }
    };
}

topics! {
    task abort panic waker local
    nesting shutdown ended context build blocking
    time interval timeout fairness channel
    tcp listener halves udp dns moving cancel_safety fairness_io
}

pub(crate) fn all<O: Owner<Handle: Sockets>>() -> Cases<O> {
    let mut cases = of_erased();
    readiness::register(&mut cases);
    cases
}

/// Cases and topics about the owner of a runtime: its options, its threads and its end. They do not
/// apply to a runtime that the application started by itself.
const OF_OWNERS: [&str; 13] = [
    "shutdown::",
    "ended::",
    "build::",
    "blocking::more_jobs_than_threads_wait_in_order",
    "blocking::aborting_a_queued_job_cancels_it",
    "blocking::threads_that_are_idle_longer_than_keep_alive_are_replaced",
    "dns::a_dropped_resolution_does_no_harm",
    "dns::tasks_go_on_while_a_name_is_resolved",
    "channel::a_channel_outlives_its_runtime",
    "moving::a_socket_whose_runtime_has_ended_waits_for_nothing",
    "moving::no_socket_is_made_for_a_runtime_that_has_ended",
    "moving::peers_see_the_end_when_the_runtime_ends",
    "moving::who_waits_for_a_socket_when_its_runtime_ends_is_told",
];

/// A test that a list of cases with reasons names cases.
pub(crate) fn all_exist(name: &str, list: Vec<(&'static str, &'static str)>) -> Trial {
    Trial::test(format!("{name}::all_that_is_left_out_exists"), move || {
        let names = names();
        let missing = list
            .iter()
            .find(|(case, _)| !names.iter().any(|n| n == case));
        match missing {
            Some((case, _)) => Err(format!("there is no case {case}").into()),
            None => Ok(()),
        }
    })
}

/// Returns `true` if the case applies only to runtimes that anyrt owns.
pub(crate) fn is_of_owner(case: &str) -> bool {
    OF_OWNERS
        .iter()
        .any(|of_owner| match of_owner.strip_suffix("::") {
            Some(topic) => case.split_once("::").is_some_and(|(of, _)| of == topic),
            None => case == *of_owner,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn what_is_of_owners_is_there() {
        for of_owner in super::OF_OWNERS {
            let is_there = |name: &String| name.starts_with(of_owner);
            assert!(super::names().iter().any(is_there), "{of_owner}");
        }
    }

    #[test]
    fn no_two_cases_have_the_same_name() {
        let names = super::names();
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), unique.len());
    }
}
