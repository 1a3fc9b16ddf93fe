//! Tests of what is special about Tokio. `tests/conformance.rs` of the workspace checks the
//! contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::HashSet;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::ThreadId;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::task::{AbortHandle as _, JoinHandle as _, LocalSpawner, Spawner, yield_now};
use anyrt_core::{Blocking, BuildError, JoinSet, Net, TcpListener, Timer, context};
use anyrt_tokio::runtime::{Builder, Runtime};
use anyrt_tokio::{KIND, TokioRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn panic_message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
    }
}

/// Records the thread on which it is dropped.
struct Dropped(Arc<Mutex<Vec<ThreadId>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(std::thread::current().id());
    }
}

#[test]
fn the_join_handle_is_one_word() {
    assert_eq!(
        size_of::<anyrt_tokio::task::JoinHandle<[u64; 9]>>(),
        size_of::<usize>()
    );
}

#[test]
fn ids_are_those_of_tokio_and_differ() {
    let runtime = multi_thread();
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let handle = runtime.handle().spawn(async {});
        assert_eq!(handle.id().to_string(), handle.as_inner().id().to_string());
        assert_eq!(handle.id(), handle.abort_handle_id());
        assert!(seen.insert(handle.id()));
    }
}

trait AbortHandleId {
    fn abort_handle_id(&self) -> anyrt_core::task::Id;
}

impl<T> AbortHandleId for anyrt_tokio::task::JoinHandle<T> {
    fn abort_handle_id(&self) -> anyrt_core::task::Id {
        use anyrt_core::AbortHandle as _;
        self.abort_handle().id()
    }
}

#[test]
fn tasks_jobs_and_their_children_know_their_runtime() {
    fn here() -> Option<&'static str> {
        context::current().map(|kind| kind.name())
    }
    let runtime = multi_thread();
    let rt = runtime.handle().clone();
    assert_eq!(here(), None);
    runtime.block_on(async {
        assert_eq!(here(), Some("tokio"));
        let outer = rt.spawn(async {
            let inner = TokioRuntime::current().spawn(async { here() });
            (here(), inner.await.unwrap())
        });
        assert_eq!(outer.await.unwrap(), (Some("tokio"), Some("tokio")));
        assert_eq!(rt.spawn_blocking(here).await.unwrap(), Some("tokio"));
    });
    assert_eq!(here(), None);
}

#[test]
fn local_tasks_run_beside_the_future_on_its_thread() {
    for runtime in [multi_thread(), current_thread()] {
        let rt = runtime.handle().clone();
        let sum = Rc::new(Cell::new(0));
        runtime.block_on(async {
            let tasks: Vec<_> = (1..=100)
                .map(|n| {
                    let sum = Rc::clone(&sum);
                    let rt = rt.clone();
                    rt.clone().spawn_local(async move {
                        rt.sleep(Duration::from_micros(n)).await;
                        // A local task starts a local task.
                        let child = rt.spawn_local(async move { n });
                        let n = child.await.unwrap();
                        sum.set(sum.get() + n);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(sum.get(), 5050);
    }
}

#[test]
fn what_is_left_of_local_tasks_is_dropped_here_also_after_a_panic() {
    for runtime in [multi_thread(), current_thread()] {
        for panics in [false, true] {
            let dropped = Arc::default();
            let rt = runtime.handle().clone();
            let result = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    for _ in 0..3 {
                        let guard = Dropped(Arc::clone(&dropped));
                        rt.spawn_local(async move {
                            let _guard = guard;
                            pending::<()>().await;
                        });
                    }
                    assert!(!panics, "on purpose");
                });
            }));
            assert_eq!(result.is_err(), panics);
            assert_eq!(*dropped.lock().unwrap(), [std::thread::current().id(); 3]);
            // The thread has its former state.
            assert!(panic_message(|| drop(rt.spawn_local(async {}))).contains("block_on"));
        }
    }
}

#[test]
fn a_local_task_that_a_destructor_starts_ends_at_once() {
    struct Spawns(TokioRuntime, Rc<Cell<Option<bool>>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let handle = self.0.spawn_local(pending::<()>());
            self.1.set(Some(handle.is_finished()));
        }
    }
    let runtime = current_thread();
    let rt = runtime.handle().clone();
    let finished = Rc::new(Cell::new(None));
    runtime.block_on(async {
        let guard = Spawns(rt.clone(), Rc::clone(&finished));
        rt.spawn_local(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    });
    assert_eq!(finished.get(), Some(true));
}

#[test]
fn block_on_inside_the_runtime_panics_and_names_it() {
    let runtime = multi_thread();
    let rt = runtime.handle().clone();
    runtime.block_on(async {
        let message = panic_message(|| rt.block_on(async {}));
        assert!(message.contains("within the tokio runtime"), "{message}");
        let inner = rt.clone();
        let message = rt
            .spawn(async move { panic_message(|| inner.block_on(async {})) })
            .await
            .unwrap();
        assert!(message.contains("within the tokio runtime"), "{message}");
    });
}

#[test]
fn blocking_jobs_may_block_on_those_that_tokio_started_as_well() {
    let runtime = multi_thread();
    let rt = runtime.handle().clone();
    runtime.block_on(async {
        let ours = rt.clone();
        let job = rt.spawn_blocking(move || ours.block_on(async { 1 }));
        assert_eq!(job.await.unwrap(), 1);
        let native = rt.clone();
        let job = tokio::task::spawn_blocking(move || native.block_on(async { 2 }));
        assert_eq!(job.await.unwrap(), 2);
    });
}

#[test]
fn dropping_the_owner_where_waiting_is_forbidden_panics_and_names_the_remedy() {
    let outer = multi_thread();
    for inner in [multi_thread(), current_thread()] {
        let message = outer.block_on(async { panic_message(|| drop(inner)) });
        assert!(message.contains("shutdown_background"), "{message}");
    }
    for inner in [multi_thread(), current_thread()] {
        let message = outer
            .block_on(
                outer
                    .handle()
                    .spawn(async { panic_message(|| drop(inner)) }),
            )
            .unwrap();
        assert!(message.contains("shutdown_background"), "{message}");
    }
    // During unwinding there is one panic and no abort.
    let inner = multi_thread();
    let message = outer.block_on(async {
        panic_message(|| {
            let _inner = inner;
            panic!("the first")
        })
    });
    assert_eq!(message, "the first");
    // The recommended remedy works.
    outer.block_on(async { multi_thread().shutdown_background() });
}

#[test]
fn a_runtime_of_the_application_serves_as_well() {
    let native = tokio::runtime::Runtime::new().unwrap();
    native.block_on(async {
        let rt = TokioRuntime::current();
        assert_eq!(rt.spawn(async { 3 }).await.unwrap(), 3);
        rt.sleep(Duration::ZERO).await;
    });
    assert!(TokioRuntime::try_current().is_none());
}

#[test]
fn sockets_and_timers_are_made_without_a_context() {
    let runtime = multi_thread();
    let rt = runtime.handle().clone();
    // A thread without a runtime creates them and polls the connect itself.
    let listener = futures_util::FutureExt::now_or_never(rt.bind_tcp("127.0.0.1:0"))
        .unwrap()
        .unwrap();
    let address = listener.local_addr().unwrap();
    let sleep = rt.sleep(Duration::from_millis(1));
    let server = rt.spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    });
    let foreign = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    foreign.block_on(async {
        sleep.await;
        let mut stream = rt.connect_tcp(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(server.await.unwrap().unwrap(), "hello");
    });
}

#[test]
fn a_future_that_uses_up_the_budget_cannot_outlast_its_timeout() {
    let runtime = current_thread();
    let rt = runtime.handle().clone();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let result = runtime.block_on(async move {
        let busy = async {
            loop {
                sender.send(()).unwrap();
                receiver.recv().await;
            }
        };
        rt.timeout(Duration::from_millis(20), busy).await
    });
    assert!(result.is_err());
}

#[test]
fn a_timer_that_has_fired_still_pays_for_being_polled() {
    let runtime = current_thread();
    let rt = runtime.handle().clone();
    runtime.block_on(async move {
        let mut sleep = std::pin::pin!(rt.sleep(Duration::ZERO));
        sleep.as_mut().await;
        let mut completed = 0;
        poll_fn(|cx| {
            while completed < 10_000 && sleep.as_mut().poll(cx).is_ready() {
                completed += 1;
            }
            Poll::Ready(())
        })
        .await;
        assert!(completed < 1_000, "it never lets others run");
    });
}

#[test]
fn options_that_cannot_be_honoured_are_errors() {
    let unsupported = Builder::new_multi_thread().pin_workers(true).build();
    assert!(matches!(
        unsupported,
        Err(BuildError::Unsupported {
            backend: "tokio",
            option: "pin_workers",
            ..
        })
    ));
    let invalid = Builder::new_multi_thread().worker_threads(0).build();
    assert!(matches!(
        invalid,
        Err(BuildError::Invalid {
            option: "worker_threads",
            ..
        })
    ));
    assert_eq!(Runtime::KIND.name(), KIND.name());
}

#[test]
fn options_reach_the_threads() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("mine")
        .build()
        .unwrap();
    let name = runtime.block_on(
        runtime
            .handle()
            .spawn(async { std::thread::current().name().map(str::to_owned) }),
    );
    assert_eq!(name.unwrap().as_deref(), Some("mine"));
}

#[test]
fn try_join_next_takes_what_has_ended_whatever_is_left_of_the_budget() {
    let runtime = current_thread();
    let rt = runtime.handle().clone();
    runtime.block_on(async move {
        let mut set = JoinSet::new();
        let member = set.spawn_on(&rt, async { 7 });
        while !member.is_finished() {
            yield_now().await;
        }
        poll_fn(|cx| {
            while let Poll::Ready(unit) = tokio::task::coop::poll_proceed(cx) {
                unit.made_progress();
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(set.try_join_next().unwrap().unwrap(), 7);
    });
}
