//! Starting, failing to start, and the cost of a shard.

use std::process::Command;

use anyrt_core::BuildError;
use anyrt_core::runtime::{Builder as CoreBuilder, Owner};
use anyrt_glommio::runtime::{Builder, Runtime};
use rustix::thread::sched_getaffinity;

use crate::{assert_descriptors_return_to, descriptors, start};

crate::tests! {
    a_low_memory_limit_is_named_with_its_remedy,
    zeros_are_refused_by_name,
    runtimes_can_be_started_and_ended_back_to_back,
    shards_are_bound_to_cores_when_asked,
    threads_have_the_configured_name,
}

const CHILD: &str = "--say-whether-it-is-available";

/// Returns `true` if this process only reports whether Glommio can run.
pub(crate) fn is_child() -> bool {
    let child = std::env::args().any(|arg| arg == CHILD);
    if child {
        match anyrt_glommio::is_available() {
            Ok(()) => println!("available"),
            Err(error) => println!("{error}"),
        }
    }
    child
}

fn a_low_memory_limit_is_named_with_its_remedy() {
    let output = Command::new("sh")
        .args(["-c", "ulimit -l 256 && exec \"$0\" \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg(CHILD)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not available here"), "{text}");
    for part in ["RLIMIT_MEMLOCK", "262144", "ulimit -l"] {
        assert!(text.contains(part), "{text}");
    }
}

fn zeros_are_refused_by_name() {
    let refused = |builder: &mut Builder, name| match builder.build() {
        Err(BuildError::Invalid { option, .. }) => assert_eq!(option, name),
        other => panic!("{other:?}"),
    };
    refused(Builder::new().shards(0), "shards");
    refused(Builder::new().shards(1).ring_depth(0), "ring_depth");
    let mut common = CoreBuilder::<Runtime>::new_multi_thread();
    match common.worker_threads(0).build() {
        Err(BuildError::Invalid { option, .. }) => assert_eq!(option, "worker_threads"),
        other => panic!("{other:?}"),
    }
}

fn runtimes_can_be_started_and_ended_back_to_back() {
    let before = descriptors();
    for _ in 0..50 {
        let (runtime, _) = start(2);
        assert_eq!(runtime.block_on(async { 7 }), 7);
    }
    assert_descriptors_return_to(before);
}

fn shards_are_bound_to_cores_when_asked() {
    let runtime = Builder::new().shards(2).pin(true).build().unwrap();
    let rt = runtime.handle();
    for shard in 0..2 {
        let cores = rt.spawn_on(shard, async { sched_getaffinity(None).unwrap().count() });
        assert_eq!(runtime.block_on(cores).unwrap(), 1);
    }
}

fn threads_have_the_configured_name() {
    let runtime: Runtime = CoreBuilder::new_multi_thread()
        .worker_threads(1)
        .thread_name("herring")
        .build()
        .unwrap();
    let name = runtime.handle().spawn_on(0, async {
        std::thread::current().name().map(str::to_owned)
    });
    assert_eq!(runtime.block_on(name).unwrap().as_deref(), Some("herring"));
}
