//! The builder's options, and the metrics of a runtime.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use anyrt::runtime::{
    Backend, Builder, Handle, LocalRuntime, Runtime, RuntimeFlavor, RuntimeMetrics,
    TryCurrentError, is_rt_shutdown_err, worker_index,
};
use anyrt::task::{spawn_blocking, yield_now};
use anyrt::time::{Duration, Instant, sleep};

/// Both flavors on every backend.
fn builders() -> impl Iterator<Item = (Backend, Builder)> {
    Backend::enabled().iter().flat_map(|&backend| {
        [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
            builder.backend(backend).enable_all();
            (backend, builder)
        })
    })
}

type Set = fn(&mut Builder);

/// Waits until the condition holds, which other threads bring about.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn threads_tell_when_they_come_and_go() {
    for (backend, mut builder) in builders() {
        let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (up, down) = (Arc::clone(&started), Arc::clone(&stopped));
        let runtime = builder
            .on_thread_start(move || {
                assert!(Handle::try_current().is_ok());
                up.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_stop(move || {
                down.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .unwrap();
        runtime.block_on(async { spawn_blocking(|| ()).await.unwrap() });
        assert!(started.load(Ordering::SeqCst) >= 1, "{backend}");
        drop(runtime);
        assert_eq!(
            started.load(Ordering::SeqCst),
            stopped.load(Ordering::SeqCst),
            "{backend}"
        );
    }
}

#[test]
fn workers_tell_when_they_wait() {
    for (backend, mut builder) in builders() {
        let (parked, unparked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (park, unpark) = (Arc::clone(&parked), Arc::clone(&unparked));
        let runtime = builder
            .worker_threads(1)
            .on_thread_park(move || {
                park.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_unpark(move || {
                unpark.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .unwrap();
        runtime.block_on(async {
            for _ in 0..3 {
                let nap = anyrt::spawn(async { sleep(Duration::from_millis(2)).await });
                nap.await.unwrap();
            }
        });
        let (parked, unparked) = (
            parked.load(Ordering::SeqCst),
            unparked.load(Ordering::SeqCst),
        );
        assert!(
            parked >= 3 && unparked >= 3,
            "{backend}: {parked}, {unparked}"
        );
    }
}

#[test]
fn what_the_park_hook_spawns_is_run() {
    for (_, mut builder) in builders() {
        let (handle, spawned) = (
            Arc::new(Mutex::new(None::<Handle>)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (handle_there, spawned_there) = (Arc::clone(&handle), Arc::clone(&spawned));
        let (ran, has_run) = mpsc::channel();
        let runtime = builder
            .on_thread_park(move || {
                let handle = handle_there.lock().unwrap().clone();
                if let Some(handle) = handle
                    && spawned_there.fetch_add(1, Ordering::SeqCst) == 0
                {
                    let ran = ran.clone();
                    handle.spawn(async move { ran.send(()).unwrap() });
                }
            })
            .build()
            .unwrap();
        *handle.lock().unwrap() = Some(runtime.handle().clone());
        runtime.block_on(async {
            while has_run.try_recv().is_err() {
                // So that a worker has something to do, and then waits again.
                anyrt::spawn(async {}).await.unwrap();
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
}

#[test]
fn threads_are_named_by_a_function() {
    for (backend, mut builder) in builders() {
        let count = Arc::new(AtomicUsize::new(0));
        let runtime = builder
            .worker_threads(1)
            .thread_name("not this")
            .thread_name_fn(move || format!("mine-{}", count.fetch_add(1, Ordering::SeqCst)))
            .build()
            .unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let name = |barrier: Arc<Barrier>| {
            barrier.wait();
            thread::current().name().map(str::to_owned)
        };
        let names: HashSet<_> = runtime.block_on(async {
            let (one, two) = (Arc::clone(&barrier), barrier);
            let jobs = [
                spawn_blocking(move || name(one)),
                spawn_blocking(move || name(two)),
            ];
            let mut names = HashSet::new();
            for job in jobs {
                names.insert(job.await.unwrap().unwrap());
            }
            names
        });
        assert_eq!(names.len(), 2, "{backend}: {names:?}");
        assert!(
            names.iter().all(|name| name.starts_with("mine-")),
            "{backend}: {names:?}"
        );
    }
}

#[test]
fn tuning_hints_are_taken_on_every_backend() {
    for (backend, mut builder) in builders() {
        let runtime = builder
            .event_interval(1)
            .global_queue_interval(1)
            .worker_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            // Tasks that are always ready do not keep the timer from firing.
            let busy = anyrt::spawn(async {
                loop {
                    yield_now().await;
                }
            });
            sleep(Duration::from_millis(2)).await;
            busy.abort();
        });
        let batches: [Set; 2] = [
            |builder| _ = builder.max_io_events_per_busy_tick(1),
            |builder| _ = builder.max_io_events_per_tick(8),
        ];
        for set in batches {
            let (_, mut builder) = builders().find(|(of, _)| *of == backend).unwrap();
            set(&mut builder);
            let runtime = builder.build().unwrap();
            runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        }
    }
}

#[test]
fn a_zero_panics_as_on_tokio() {
    let setters: [Set; 7] = [
        |builder| _ = builder.worker_threads(0),
        |builder| _ = builder.max_blocking_threads(0),
        |builder| _ = builder.event_interval(0),
        |builder| _ = builder.global_queue_interval(0),
        |builder| _ = builder.max_io_events_per_tick(0),
        |builder| _ = builder.max_io_events_per_busy_tick(0),
        |builder| _ = builder.name(" "),
    ];
    for set in setters {
        assert!(catch_unwind(|| set(&mut Builder::new_multi_thread())).is_err());
    }
}

#[test]
fn a_runtime_counts_its_tasks_and_threads() {
    for (backend, mut builder) in builders() {
        let runtime = builder
            .worker_threads(1)
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let metrics: RuntimeMetrics = runtime.metrics();
        assert_eq!(metrics.num_workers(), 1);
        assert_eq!(metrics.num_alive_tasks(), 0);
        runtime.block_on(async {
            let tasks: Vec<_> = (0..3)
                .map(|_| anyrt::spawn(std::future::pending::<()>()))
                .collect();
            assert_eq!(metrics.num_alive_tasks(), 3);
            for task in tasks {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            until(|| metrics.num_alive_tasks() == 0).await;
            let (go, gate) = mpsc::channel();
            let running = spawn_blocking(move || gate.recv().unwrap());
            let queued = spawn_blocking(|| ());
            match metrics.blocking() {
                None => assert_eq!(backend, Backend::Tokio),
                Some(_) => {
                    until(|| {
                        metrics
                            .blocking()
                            .is_some_and(|b| b.threads == 1 && b.queue_depth == 1)
                    })
                    .await;
                }
            }
            go.send(()).unwrap();
            running.await.unwrap();
            queued.await.unwrap();
            if backend != Backend::Tokio {
                until(|| metrics.blocking().is_some_and(|b| b.idle_threads == 1)).await;
            }
        });
        // The task stays in the queue while no thread drives the runtime.
        if runtime.handle().runtime_flavor() == RuntimeFlavor::CurrentThread {
            let task = runtime.spawn(async {});
            assert_eq!(metrics.global_queue_depth(), 1, "{backend}");
            runtime.block_on(task).unwrap();
            assert_eq!(metrics.global_queue_depth(), 0, "{backend}");
        }
    }
}

#[test]
fn a_worker_counts_its_time() {
    for (backend, mut builder) in builders() {
        let runtime = builder.worker_threads(1).build().unwrap();
        let metrics = runtime.metrics();
        runtime.block_on(async {
            anyrt::spawn(async {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(5) {}
            })
            .await
            .unwrap();
            until(|| metrics.worker_total_busy_duration(0) >= Duration::from_millis(5)).await;
            until(|| metrics.worker_park_count(0) > 0).await;
        });
        let (parks, both) = (
            metrics.worker_park_count(0),
            metrics.worker_park_unpark_count(0),
        );
        assert!(both >= parks, "{backend}: {parks}, {both}");
        assert!(catch_unwind(|| metrics.worker_park_count(1)).is_err());
    }
}

#[test]
fn a_handle_tells_which_runtime_it_is() {
    for (backend, mut builder) in builders() {
        let (one, two) = (builder.build().unwrap(), builder.build().unwrap());
        assert_ne!(one.handle().id(), two.handle().id());
        let handle = one.handle().clone();
        let id = one.block_on(async {
            (
                Handle::current().id(),
                anyrt::spawn(async { Handle::current().id() })
                    .await
                    .unwrap(),
            )
        });
        assert_eq!(id, (handle.id(), handle.id()), "{backend}");
        assert!(!handle.id().to_string().is_empty());
    }
    for &backend in Backend::enabled() {
        let flavors = [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut b| {
            b.backend(backend)
                .build()
                .unwrap()
                .handle()
                .runtime_flavor()
        });
        assert_eq!(
            flavors,
            [RuntimeFlavor::CurrentThread, RuntimeFlavor::MultiThread]
        );
    }
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_knows_its_number() {
    assert_eq!(worker_index(), None);
    let index = anyrt::spawn(async { worker_index() }).await.unwrap();
    assert!(index.is_some_and(|index| index < 2), "{index:?}");
    assert_eq!(spawn_blocking(worker_index).await.unwrap(), None);
}

#[anyrt::test]
async fn the_only_worker_is_number_0() {
    assert_eq!(
        anyrt::spawn(async { worker_index() }).await.unwrap(),
        Some(0)
    );
}

#[test]
fn without_a_runtime_the_error_says_so() {
    let error: TryCurrentError = Handle::try_current().unwrap_err();
    assert!(error.is_missing_context() && !error.is_thread_local_destroyed());
    assert!(!format!("{error} {error:?}").is_empty());
    assert!(catch_unwind(Handle::current).is_err());
    assert!(!is_rt_shutdown_err(&std::io::Error::other(
        "something else"
    )));
}

#[test]
fn a_local_runtime_is_a_current_thread_one() {
    if Backend::enabled().is_empty() {
        return;
    }
    let runtime = LocalRuntime::new().unwrap();
    assert_eq!(
        runtime.handle().runtime_flavor(),
        RuntimeFlavor::CurrentThread
    );
    assert_eq!(runtime.metrics().num_workers(), 1);
    let _inside = runtime.enter();
    assert!(Handle::try_current().is_ok());
    let refused = catch_unwind(|| {
        Builder::new_multi_thread()
            .build_local(Default::default())
            .is_ok()
    });
    assert!(refused.is_err());
}

#[test]
fn a_runtime_may_cross_a_caught_panic() {
    fn safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    safe::<Runtime>();
    safe::<Handle>();
    safe::<LocalRuntime>();
    safe::<anyrt::task::JoinHandle<std::cell::Cell<u8>>>();
    safe::<anyrt::task::AbortHandle>();
}

/// Reports its drop.
struct Tell(mpsc::Sender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn worker_threads_are_without_effect_on_a_current_thread_runtime() {
    for &backend in Backend::enabled() {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.backend(backend).worker_threads(2).build().unwrap();
        assert_eq!(runtime.metrics().num_workers(), 1, "{backend}");
    }
}

#[test]
fn a_task_that_the_shutdown_gave_up_waiting_for_is_dropped_later() {
    for (backend, mut builder) in builders() {
        let runtime = builder.build().unwrap();
        let handle = runtime.handle().clone();
        let (dropped, is_dropped) = mpsc::channel();
        let (busy, is_busy) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        // The thread is inside a poll and has queued a task that no other thread has seen.
        let caller = thread::spawn(move || {
            handle.block_on(async move {
                let tell = Tell(dropped);
                drop(anyrt::spawn(async move {
                    let _tell = tell;
                    std::future::pending::<()>().await;
                }));
                busy.send(()).unwrap();
                may_go.recv().unwrap();
            });
        });
        is_busy.recv().unwrap();
        runtime.shutdown_timeout(Duration::from_millis(1));
        go.send(()).unwrap();
        caller.join().unwrap();
        assert_eq!(is_dropped.recv(), Ok(()), "{backend}");
    }
}

#[test]
fn a_thread_name_that_panics_does_not_keep_the_runtime_from_ending() {
    for &backend in Backend::enabled() {
        let name = Arc::new(Mutex::new("a name"));
        let names = Arc::clone(&name);
        let runtime = Builder::new_current_thread()
            .backend(backend)
            .thread_name_fn(move || names.lock().unwrap().to_string())
            .build()
            .unwrap();
        // Like std, which cannot start a thread with that name.
        *name.lock().unwrap() = "not a\0name";
        let spawned = catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(|| 7)));
        assert!(spawned.is_err(), "{backend}");
        drop(runtime);
    }
}

#[test]
fn a_destructor_that_enters_as_the_runtime_ends_harms_nobody() {
    struct Enters(Handle);
    impl Drop for Enters {
        fn drop(&mut self) {
            let _entered = self.0.enter();
        }
    }
    struct Spawns(Option<Enters>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let enters = self.0.take();
            drop(anyrt::spawn(async move { drop(enters) }));
        }
    }
    for (backend, mut builder) in builders() {
        let runtime = builder.build().unwrap();
        let spawns = Spawns(Some(Enters(runtime.handle().clone())));
        let (started, has_started) = mpsc::channel();
        runtime.spawn(async move {
            let _spawns = spawns;
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        runtime.block_on(until(|| has_started.try_recv().is_ok()));
        assert!(
            catch_unwind(AssertUnwindSafe(|| drop(runtime))).is_ok(),
            "{backend}"
        );
    }
}

#[test]
fn a_runtime_ends_while_its_guard_lives() {
    let ends: [fn(Runtime); 3] = [drop, Runtime::shutdown_background, |runtime| {
        runtime.shutdown_timeout(Duration::from_secs(3_600));
    }];
    for (backend, mut builder) in builders() {
        for end in ends {
            let runtime = builder.build().unwrap();
            let handle = runtime.handle().clone();
            let task = {
                // Does not compile if the guard borrows the runtime or the handle until its drop.
                let _of_runtime = runtime.enter();
                let _of_handle = handle.enter();
                end(runtime);
                drop(handle);
                assert!(Handle::try_current().is_ok(), "{backend}");
                anyrt::spawn(async {})
            };
            assert!(Handle::try_current().is_err(), "{backend}");
            let other = builder.build().unwrap();
            assert!(
                other.block_on(task).unwrap_err().is_cancelled(),
                "{backend}"
            );
        }
    }
}
