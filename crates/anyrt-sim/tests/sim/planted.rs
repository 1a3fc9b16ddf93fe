//! Bugs that were planted are found within 200 seeds; the same programs without them are clean: under 200 seeds here, and
//! under as many as asked for by
//! `ANYRT_TEST_SEEDS=10000 cargo test --release -p anyrt-sim --test sim planted`.

mod network;
mod nodes;
mod tasks;

use anyrt_sim::SimRuntime;

use crate::histories;
use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Seeds within which a bug must be found.
const SEEDS: u64 = 200;

/// `program` runs a seed, with or without the bug, and returns `true` if all went well.
#[track_caller]
fn is_found(program: fn(seed: u64, bug: bool) -> bool) {
    let found = (0..SEEDS).find(|&seed| !program(seed, true));
    let Some(found) = found else {
        panic!("no seed finds it");
    };
    assert!(!program(found, true), "seed {found} does not find it again");
    let clean = std::env::var("ANYRT_TEST_SEEDS").map_or(SEEDS, |count| count.parse().unwrap());
    if let Some(seed) = (0..clean).find(|&seed| !program(seed, false)) {
        panic!("the right program fails with seed {seed}");
    }
    println!("found with seed {found}; the right program is clean under {clean} seeds");
}

tests! {
    fn a_balance_that_is_read_before_an_await_and_written_after_it() {
        is_found(tasks::deposits);
    }

    fn a_lost_wake_up() {
        is_found(tasks::lost_wake_up);
    }

    fn two_locks_that_are_taken_in_different_orders() {
        is_found(tasks::two_locks);
    }

    fn a_lock_that_is_held_while_another_node_is_asked() {
        is_found(tasks::lock_across_an_await);
    }

    fn a_read_that_is_dropped_with_half_of_the_message() {
        is_found(tasks::cancelled_read);
    }

    fn a_request_that_is_not_repeated_when_it_is_lost() {
        is_found(|seed, bug| network::counter(seed, bug, false));
    }

    fn a_request_that_counts_twice_when_it_is_repeated() {
        is_found(|seed, bug| network::counter(seed, false, bug));
    }

    fn an_upload_that_is_taken_for_whole_when_its_sender_crashed() {
        is_found(network::upload);
    }

    fn a_reset_that_is_taken_for_the_end_of_the_file() {
        is_found(network::reset_for_end);
    }

    fn datagrams_that_are_taken_in_the_order_in_which_they_come() {
        is_found(network::reordered);
    }

    fn a_read_that_gives_less_than_a_message() {
        is_found(network::short_read);
    }

    fn a_lease_that_is_counted_from_the_answer() {
        is_found(network::stale_lease);
    }

    fn a_replica_that_is_read_before_it_knows() {
        is_found(|seed, bug| histories::map(seed, bug).is_ok());
    }

    fn two_leaders_in_a_partition() {
        is_found(nodes::split_brain);
    }

    fn an_answer_before_the_file_is_synced() {
        is_found(nodes::no_sync);
    }

    fn an_answer_before_the_directory_is_synced() {
        is_found(nodes::no_sync_of_the_directory);
    }

    fn a_vote_that_a_restart_forgets() {
        is_found(nodes::forgotten_vote);
    }

    fn a_deadline_that_is_compared_with_another_clock() {
        is_found(nodes::two_clocks);
    }
}
