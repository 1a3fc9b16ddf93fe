//! The choice of the backend, and the current runtime.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

use anyrt::runtime::{Backend, Builder, Handle, Runtime};
use futures_util::FutureExt;

fn panic_message<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have panicked"),
        Err(payload) => match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
        },
    }
}

fn current() -> Option<Backend> {
    Handle::try_current().ok().map(|handle| handle.backend())
}

fn build(backend: Backend) -> Runtime {
    Builder::new_multi_thread()
        .backend(backend)
        .worker_threads(1)
        .build()
        .unwrap()
}

#[test]
fn without_a_runtime_everything_says_what_to_do() {
    let error = Handle::try_current().unwrap_err().to_string();
    let messages = [
        error,
        panic_message(|| anyrt::spawn(async {})),
        panic_message(|| anyrt::task::spawn_blocking(|| {})),
        panic_message(|| anyrt::task::spawn_local(async {})),
        panic_message(|| anyrt::time::sleep(Duration::ZERO)),
        panic_message(Handle::current),
    ];
    let remedy = if Backend::enabled().is_empty() {
        "enable the feature"
    } else {
        "anyrt::block_on"
    };
    for message in messages {
        assert!(message.contains("no runtime is current"), "{message}");
        assert!(message.contains(remedy), "{message}");
        for backend in Backend::enabled() {
            assert!(message.contains(backend.name()), "{message}");
        }
    }
}

#[test]
fn a_wrapped_future_is_dropped_inside_its_runtime() {
    struct Reports(mpsc::Sender<Option<Backend>>);
    impl Drop for Reports {
        fn drop(&mut self) {
            self.0.send(current()).unwrap();
        }
    }

    for &backend in Backend::enabled() {
        let runtime = build(backend);
        let (sender, receiver) = mpsc::channel();
        let mut wrapped = Box::pin(runtime.handle().wrap(async move {
            let _reports = Reports(sender);
            pending::<()>().await;
        }));
        assert!(wrapped.as_mut().now_or_never().is_none());
        drop(wrapped);
        assert_eq!(receiver.recv(), Ok(Some(backend)));
        assert_eq!(current(), None);
    }
}

#[test]
fn guards_that_are_dropped_out_of_order_are_refused() {
    for &backend in Backend::enabled() {
        let (one, other) = (build(backend), build(backend));
        let message = panic_message(|| {
            let first = one.enter();
            let _second = other.enter();
            drop(first);
        });
        assert!(message.contains("out of order"), "{backend}: {message}");
        let _again = other.enter();
        assert_eq!(current(), Some(backend));
    }
}

#[test]
fn what_was_entered_last_is_current() {
    for &outer in Backend::enabled() {
        for &inner in Backend::enabled() {
            let (outer_runtime, inner_runtime) = (build(outer), build(inner));
            outer_runtime.block_on(async {
                assert_eq!(current(), Some(outer));
                {
                    let _entered = inner_runtime.enter();
                    assert_eq!(current(), Some(inner));
                    // Awaited in the other runtime.
                    let task = anyrt::spawn(async { current() });
                    drop(_entered);
                    assert_eq!(task.await.unwrap(), Some(inner));
                }
                assert_eq!(current(), Some(outer));
                let job = anyrt::task::spawn_blocking(current);
                assert_eq!(job.await.unwrap(), Some(outer));
            });
            assert_eq!(current(), None);
        }
    }
}

#[test]
fn a_nested_block_on_panics_whatever_the_two_runtimes_are() {
    for &outer in Backend::enabled() {
        for &inner in Backend::enabled() {
            let (outer, inner) = (build(outer), build(inner));
            let handle = inner.handle().clone();
            outer.block_on(async {
                let message = panic_message(|| inner.block_on(async {}));
                assert!(message.contains("Cannot start"), "{message}");
                // On a worker as well. It is allowed in a blocking job.
                let there = handle.clone();
                let message =
                    anyrt::spawn(async move { panic_message(|| there.block_on(async {})) });
                let message = message.await.unwrap();
                assert!(message.contains("Cannot start"), "{message}");
                let job = anyrt::task::spawn_blocking(move || handle.block_on(async { 7 }));
                assert_eq!(job.await.unwrap(), 7);
            });
        }
    }
}

#[test]
fn a_tokio_runtime_of_the_application_is_found() {
    let expected = Backend::Tokio.is_enabled().then_some(Backend::Tokio);
    let native = tokio::runtime::Runtime::new().unwrap();
    native.block_on(async {
        assert_eq!(current(), expected);
        if expected.is_some() {
            assert_eq!(anyrt::spawn(async { 7 }).await.unwrap(), 7);
            anyrt::time::sleep(Duration::from_millis(1)).await;
            let there = anyrt::spawn(async { current() }).await.unwrap();
            assert_eq!(there, expected);
        }
        // The runtime that anyrt entered takes precedence.
        for &backend in Backend::enabled() {
            let runtime = build(backend);
            {
                let _entered = runtime.enter();
                assert_eq!(current(), Some(backend));
            }
            runtime.shutdown_background();
        }
        assert_eq!(current(), expected);
    });
    assert_eq!(current(), None);
}

#[test]
fn names_of_backends_are_those_of_features() {
    for &backend in Backend::enabled() {
        assert_eq!(backend.name().parse::<Backend>().unwrap(), backend);
        assert_eq!(backend.to_string(), backend.name());
        assert!(backend.is_enabled());
    }
    let error = "toklo".parse::<Backend>().unwrap_err().to_string();
    assert!(error.contains("\"toklo\""), "{error}");
    for backend in Backend::enabled() {
        assert!(error.contains(backend.name()), "{error}");
    }
}

#[test]
fn a_backend_that_is_not_enabled_cannot_be_built() {
    for backend in [
        Backend::Tokio,
        Backend::Smol,
        Backend::AsyncStd,
        Backend::Glommio,
    ] {
        if !backend.is_enabled() {
            let error = Builder::new_multi_thread()
                .backend(backend)
                .build()
                .unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            let error = error.to_string();
            assert!(error.contains(backend.name()), "{error}");
        }
    }
}

#[test]
fn senseless_options_are_errors_that_name_them() {
    for &backend in Backend::enabled() {
        let error = Builder::new_multi_thread()
            .backend(backend)
            .thread_name("nul\0")
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("thread_name"), "{error}");
    }
}

/// Not a test in itself: the tests below run it with `ANYRT_BACKEND` set.
#[test]
#[ignore = "run by the tests of ANYRT_BACKEND"]
fn child() {
    anyrt::block_on(async {
        println!("built on {}", Handle::current().backend());
        println!("{} workers", Handle::current().metrics().num_workers());
        println!("a task on {:?}", anyrt::spawn(async { current() }).await);
    });
}

fn child_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    command
}

fn run_child(anyrt_backend: Option<&str>) -> Output {
    let mut command = child_command();
    match anyrt_backend {
        Some(name) => command.env("ANYRT_BACKEND", name),
        None => command.env_remove("ANYRT_BACKEND"),
    };
    command.output().unwrap()
}

#[test]
fn the_environment_decides() {
    for backend in Backend::enabled() {
        let output = run_child(Some(backend.name()));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&format!("built on {backend}")), "{said}");
        assert!(output.status.success());
    }
}

#[test]
fn without_a_word_the_pinned_or_the_first_that_is_enabled_is_built() {
    for unset in [None, Some("")] {
        let output = run_child(unset);
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        // `--cfg anyrt_backend="…"`, which `scripts/check pinned` sets.
        let pinned = option_env!("ANYRT_BACKEND_CFG");
        match pinned.or(Backend::enabled().first().map(|first| first.name())) {
            Some(name) => assert!(said.contains(&format!("built on {name}\n")), "{said}"),
            None => assert!(complained.contains("enable the feature"), "{complained}"),
        }
    }
}

#[test]
fn an_unknown_name_in_the_environment_is_an_error_that_lists_the_known_ones() {
    let output = run_child(Some("tokyo"));
    assert!(!output.status.success());
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(complained.contains("\"tokyo\""), "{complained}");
    for backend in Backend::enabled() {
        assert!(complained.contains(backend.name()), "{complained}");
    }
}

#[test]
fn the_environment_sets_the_number_of_workers_as_in_tokio() {
    for backend in Backend::enabled() {
        let run = |threads| {
            let mut command = child_command();
            command.env("ANYRT_BACKEND", backend.name());
            command.env("TOKIO_WORKER_THREADS", threads);
            command.output().unwrap()
        };
        let said = String::from_utf8(run("3").stdout).unwrap();
        assert!(said.contains("3 workers\n"), "{said}");
        for wrong in ["0", "many", ""] {
            let complained = String::from_utf8(run(wrong).stderr).unwrap();
            assert!(complained.contains("TOKIO_WORKER_THREADS"), "{complained}");
        }
    }
}
