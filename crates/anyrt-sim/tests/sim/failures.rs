//! A simulation that cannot continue fails with its reason.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyrt_core::net::TcpListener as _;
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Blocking, LocalSpawner, Net, Spawner, Timer};
use anyrt_sim::{FailureKind, Sim};

use crate::watchdog::tests;

tests! {
    fn tasks_that_wait_for_ever_are_named_with_what_they_wait_for() {
        let sim = Sim::new(7);
        sim.host("db", || async {
            let rt = anyrt_sim::SimRuntime::try_current().unwrap();
            let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
            listener.accept().await.unwrap();
        });
        let failure = sim.try_block_on(pending::<()>()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Deadlock);
        assert_eq!(failure.seed(), 7);
        let text = failure.to_string();
        for part in ["node db", file!(), "a connection to 0.0.0.0:80", "node main", "ANYRT_SIM_SEED=7"] {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }

    fn a_local_task_that_is_joined_is_named() {
        let sim = Sim::new(7);
        let rt = sim.handle().clone();
        let failure = sim.try_block_on(async { rt.spawn_local(pending::<()>()).await }).unwrap_err();
        let text = failure.message();
        assert!(text.contains("waits for the end of local task 2"), "{text}");
        let task = text.lines().find(|line| line.starts_with("  local task 2")).unwrap();
        assert!(task.ends_with("keeps no waker, so nothing can wake it"), "{text}");
    }

    fn tasks_that_only_keep_each_other_awake_are_named() {
        let sim = Sim::builder().seed(1).busy_limit(10_000).build().unwrap();
        let rt = sim.handle().clone();
        drop(rt.spawn(async {
            loop {
                yield_now().await;
            }
        }));
        let failure = sim.try_block_on(pending::<()>()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Livelock);
        assert!(failure.to_string().contains(file!()), "{failure}");
    }

    fn a_busy_task_does_not_stop_the_clock() {
        let sim = Sim::new(1);
        let rt = sim.handle().clone();
        drop(rt.spawn(async {
            loop {
                yield_now().await;
            }
        }));
        sim.block_on(rt.sleep(Duration::from_millis(5)));
        assert!(rt.elapsed() >= Duration::from_millis(5));
        assert!(rt.elapsed() < Duration::from_millis(6));
    }

    fn the_time_limit_ends_a_simulation_whose_timers_never_do() {
        let limit = Some(Duration::from_secs(60));
        let sim = Sim::builder().seed(1).time_limit(limit).build().unwrap();
        let rt = sim.handle().clone();
        let timer = rt.clone();
        drop(rt.spawn(async move {
            loop {
                timer.sleep(Duration::from_secs(1)).await;
            }
        }));
        let failure = sim.try_block_on(pending::<()>()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::TimeLimit);
        assert_eq!(failure.time().as_secs(), 60);
    }

    fn a_host_that_panics_fails_the_run_by_its_name() {
        let sim = Sim::new(1);
        sim.host("server", || async { std::panic::resume_unwind(Box::new("out of luck")) });
        sim.client("client", pending());
        let failure = sim.run().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Panic);
        let text = failure.to_string();
        assert!(text.contains("\"server\"") && text.contains("out of luck"), "{text}");
    }

    fn a_job_that_waits_for_something_outside_is_named() {
        let patience = Duration::from_millis(50);
        let sim = Sim::builder().seed(1).patience(patience).build().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let job = sim.handle().spawn_blocking(move || wait.recv());
        let failure = sim.try_block_on(job).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Stuck);
        assert!(failure.to_string().contains(file!()), "{failure}");
        drop(go);
    }

    fn block_on_panics_with_the_report() {
        let sim = Sim::new(3);
        let caught = catch_unwind(AssertUnwindSafe(|| sim.block_on(pending::<()>())));
        let payload = caught.unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("seed 3") && text.contains("wait for ever"), "{text}");
    }

    fn a_wake_up_from_outside_is_counted() {
        let sim = Sim::new(1);
        let rt = sim.handle().clone();
        let (sender, mut receiver) = anyrt_core::Channel::unbounded(&rt);
        sim.block_on(async {
            use anyrt_core::channel::{Receiver, UnboundedSender};
            let mut receive = std::pin::pin!(receiver.recv());
            std::future::poll_fn(|cx| {
                assert!(receive.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            std::thread::spawn(move || sender.send(7)).join().unwrap().unwrap();
            assert_eq!(receive.await, Some(7));
        });
        assert_eq!(sim.foreign_wakes(), 1);
    }

    fn a_thread_that_comes_while_another_runs_the_simulation_is_counted() {
        let sim = Sim::builder().seed(1).busy_limit(u64::MAX).build().unwrap();
        let rt = sim.handle().clone();
        sim.block_on(async {
            let thread = std::thread::spawn(move || rt.block_on(yield_now()));
            while !thread.is_finished() {
                yield_now().await;
                std::thread::yield_now();
            }
            thread.join().unwrap();
        });
        assert!(sim.foreign_wakes() > 0);
    }
}
