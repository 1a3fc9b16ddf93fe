//! A process that has no descriptor left when its first runtime is built. A program of its own: the limit holds for all of
//! the process, and async-io is started once.
#![cfg(all(target_os = "linux", feature = "process"))]

use std::fs::File;
use std::os::fd::AsRawFd;

use anyrt::runtime::{Backend, Builder};
use anyrt::time::{Duration, sleep};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_runtime_without_descriptors_is_a_build_error_and_works_later() {
    let limit = getrlimit(Resource::Nofile);
    for &backend in Backend::enabled() {
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            builder.backend(backend).worker_threads(1).enable_all();
            let next = File::open("/dev/null").expect("a descriptor").as_raw_fd();
            let none_left = Rlimit {
                current: Some(u64::try_from(next).expect("a descriptor")),
                ..limit
            };
            setrlimit(Resource::Nofile, none_left).expect("a lower limit");
            let built = builder.build();
            setrlimit(Resource::Nofile, limit).expect("the former limit");
            // Where async-io runs already, a runtime needs no descriptor of its own.
            match built {
                Ok(runtime) => drop(runtime),
                Err(error) => assert!(!error.to_string().is_empty(), "{backend}"),
            }
            let runtime = builder.build().expect("there are descriptors again");
            runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        }
    }
}
