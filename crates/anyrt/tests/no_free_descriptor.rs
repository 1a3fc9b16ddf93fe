//! A process without a free descriptor. A separate program, because the limit applies to the whole
//! process.
#![cfg(all(target_os = "linux", feature = "process"))]

use std::fs::File;
use std::future::{Future, poll_fn};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use anyrt::process::{Child, Command};
use anyrt::runtime::{Backend, Builder, Runtime, is_rt_shutdown_err};
use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtimes() -> impl Iterator<Item = Runtime> {
    Backend::enabled().iter().map(|&backend| {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.backend(backend).enable_all().build();
        runtime.expect("a runtime")
    })
}

/// Starts `sh -c script` while no descriptor is free, so that none can watch the process.
fn start_unwatched(script: &str) -> Child {
    let null = || File::open("/dev/null").expect("a descriptor");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).kill_on_drop(true);
    command.stdin(null()).stdout(null()).stderr(null());
    let limit = getrlimit(Resource::Nofile);
    let none_left = Rlimit {
        current: Some(u64::try_from(null().as_raw_fd()).expect("a descriptor")),
        ..limit
    };
    setrlimit(Resource::Nofile, none_left).expect("a lower limit");
    let is_none_free = File::open("/dev/null").is_err();
    let child = command.spawn();
    setrlimit(Resource::Nofile, limit).expect("the former limit");
    assert!(is_none_free);
    child.expect("it was started")
}

/// Lets the program handle `SIGCHLD`, as it does once a running child was dropped. Then a process
/// that no descriptor watches is waited for by signals, as on systems without such descriptors.
fn handle_signals() {
    let mut command = Command::new("cat");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.expect("it was started");
    // `cat` runs until its input is closed.
    let input = child.stdin.take();
    drop(child);
    drop(input);
}

#[test]
fn a_child_that_was_started_without_a_free_descriptor_is_given_out() {
    let _alone = alone();
    for runtime in runtimes() {
        runtime.block_on(async {
            let status = start_unwatched("exit 0").wait().await;
            assert!(status.expect("a status").success());
        });
    }
}

#[test]
fn a_signal_tells_the_end_as_well() {
    let _alone = alone();
    for runtime in runtimes() {
        runtime.block_on(async {
            handle_signals();
            let mut children: Vec<_> = (0..5)
                .map(|code| (code, start_unwatched(&format!("exit {code}"))))
                .collect();
            for (code, child) in &mut children {
                let status = child.wait().await.expect("a status");
                assert_eq!(status.code(), Some(*code));
            }
        });
    }
}

#[test]
fn where_signals_tell_the_end_the_end_of_the_runtime_is_told_too() {
    let _alone = alone();
    for runtime in runtimes() {
        let mut child = runtime.block_on(async {
            handle_signals();
            start_unwatched("exec sleep 1000")
        });
        let handle = runtime.handle().clone();
        let (waits, does_wait) = mpsc::channel();
        let job = runtime.spawn_blocking(move || {
            handle.block_on(async {
                let mut wait = pin!(child.wait());
                poll_fn(|cx| {
                    let polled = wait.as_mut().poll(cx);
                    let _ = waits.send(());
                    polled
                })
                .await
            })
        });
        does_wait.recv().expect("the job waits");
        drop(runtime);
        let waited = job.now_or_never().expect("the job has ended");
        let error = waited
            .expect("no panic")
            .expect_err("the runtime has ended");
        assert!(is_rt_shutdown_err(&error), "{error}");
    }
}
