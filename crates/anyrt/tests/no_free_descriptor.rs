//! A process without a free descriptor. A separate program, because the limit applies to the whole
//! process.
#![cfg(all(target_os = "linux", feature = "process"))]

use std::fs::File;

use anyrt::process::Command;
use anyrt::runtime::{Backend, Builder};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_child_that_was_started_without_a_free_descriptor_is_given_out() {
    let limit = getrlimit(Resource::Nofile);
    for &backend in Backend::enabled() {
        let runtime = Builder::new_current_thread()
            .backend(backend)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut command = Command::new("true");
            let null = || File::open("/dev/null").expect("a descriptor");
            command.stdin(null()).stdout(null()).stderr(null());
            let next = std::os::fd::AsRawFd::as_raw_fd(&null());
            let none_left = Rlimit {
                current: Some(u64::try_from(next).expect("a descriptor")),
                ..limit
            };
            setrlimit(Resource::Nofile, none_left).expect("a lower limit");
            assert!(File::open("/dev/null").is_err());
            let child = command.spawn();
            setrlimit(Resource::Nofile, limit).expect("the former limit");
            let status = child.expect("it was started").wait().await;
            assert!(status.expect("a status").success(), "{backend}");
        });
    }
}
