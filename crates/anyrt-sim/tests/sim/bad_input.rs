//! Invalid input is an error that names the problem and the place, and never a hang.

use std::future::pending;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{Chaos, FailureKind, Link, Sim, SimRuntime};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Returns the panic message of `f`, which must panic.
#[track_caller]
fn refusal<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it is not refused");
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Crashes a node when it is dropped.
struct CrashesAgain(&'static str);

impl Drop for CrashesAgain {
    fn drop(&mut self) {
        let node = here().find_node(self.0).unwrap();
        node.crash();
        node.power_off();
    }
}

tests! {
    fn an_unknown_node_is_named_with_the_node_that_asks() {
        let sim = Sim::new(1);
        assert!(sim.node("nobody").is_none());
        sim.client("client", async {
            let error = here().connect_tcp("nobody:80").await.unwrap_err();
            says(&error.to_string(), &["not known", "\"nobody\"", "\"client\""]);
        });
        sim.run().unwrap();
    }

    fn a_name_that_is_taken_is_refused_and_nothing_is_lost() {
        let sim = Sim::new(1);
        sim.client("twin", async {});
        says(&refusal(|| sim.client("twin", async {})), &["\"twin\"", "exists already"]);
        says(&refusal(|| sim.host("main", pending::<()>)), &["\"main\"", "exists already"]);
        sim.run().unwrap();
    }

    fn an_address_that_is_taken_names_node_and_place() {
        let sim = Sim::new(1);
        let last = Arc::new(AtomicBool::new(false));
        let is_last = Arc::clone(&last);
        sim.client("server", async move {
            let rt = here();
            let first = rt.bind_tcp("0.0.0.0:80").await.unwrap();
            let error = rt.bind_tcp("0.0.0.0:80").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            assert!(error.raw_os_error().is_some());
            drop(first);
            let _again = rt.bind_tcp("0.0.0.0:80").await.unwrap();
            is_last.store(true, Ordering::SeqCst);
            rt.bind_tcp("0.0.0.0:80").await.unwrap();
        });
        let failure = sim.run().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Panic);
        assert!(last.load(Ordering::SeqCst), "it failed too early: {failure}");
        says(&failure.to_string(), &["\"server\"", file!(), "AddrInUse"]);
    }

    fn a_partition_of_nobody_is_refused() {
        let sim = Sim::new(1);
        let node = sim.host("a", pending::<()>);
        let rt = sim.handle();
        says(&refusal(|| rt.partition(&[], &[&node])), &["node on each side", "and a"]);
        says(&refusal(|| rt.partition_one_way(&[&node], &[])), &["node on each side", "a and"]);
        says(&refusal(|| rt.hold(&[&node], &[&node])), &["\"a\"", "on both sides"]);
        assert_eq!(sim.fault_count(), 0);
    }

    fn a_crash_in_a_crash_changes_nothing() {
        for seed in 0..20 {
            let sim = Sim::new(seed);
            let node = sim.host("a", || async {
                let rt = here();
                for _ in 0..3 {
                    drop(rt.spawn(async {
                        let _guard = CrashesAgain("a");
                        pending::<()>().await;
                    }));
                }
                let _guard = CrashesAgain("a");
                let _listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
                pending::<()>().await;
            });
            sim.client("nemesis", async move {
                for _ in 0..3 {
                    here().sleep(Duration::from_millis(1)).await;
                    node.crash();
                    assert!(!node.is_up());
                    node.crash();
                    node.restart();
                    node.restart();
                    assert!(node.is_up());
                }
            });
            sim.run().unwrap();
            assert_eq!(sim.fault_count(), 3, "a crash of a node that is down is none");
        }
    }

    fn a_node_that_crashes_itself_ends_and_comes_again() {
        let sim = Sim::new(1);
        let node = sim.host("a", || async {
            let rt = here();
            rt.sleep(Duration::from_millis(1)).await;
            rt.node().crash();
            rt.sleep(Duration::from_millis(1)).await;
            unreachable!("it has crashed");
        });
        sim.client("nemesis", async move {
            here().sleep(Duration::from_millis(5)).await;
            assert!(!node.is_up());
            node.restart();
            here().sleep(Duration::from_millis(5)).await;
            assert!(!node.is_up());
        });
        sim.run().unwrap();
    }

    fn a_host_whose_closure_panics_is_named() {
        let sim = Sim::new(1);
        sim.host("server", || {
            if here().seed() == 1 {
                panic!("not even a future");
            }
            pending::<()>()
        });
        sim.client("client", pending());
        let failure = sim.run().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Panic);
        says(&failure.to_string(), &["\"server\"", file!(), "not even a future"]);
        assert!(failure.place().unwrap().contains("bad_input.rs"));
    }

    fn what_cannot_be_restarted_or_paused_is_named() {
        let sim = Sim::new(1);
        let client = sim.client("client", pending());
        client.crash();
        says(&refusal(|| client.restart()), &["\"client\"", "no host"]);
        let main = sim.node("main").unwrap();
        says(&refusal(|| main.pause()), &["main node"]);
        says(&refusal(|| main.signal(65)), &["no signal 65"]);
    }

    fn limits_of_nothing_end_at_once() {
        let forever = |builder: anyrt_sim::Builder| {
            let sim = builder.seed(1).build().unwrap();
            let rt = sim.handle().clone();
            sim.try_block_on(async move {
                loop {
                    rt.sleep(Duration::from_millis(1)).await;
                }
            })
            .unwrap_err()
            .kind()
        };
        let zero = Some(Duration::ZERO);
        assert_eq!(forever(Sim::builder().time_limit(zero)), FailureKind::TimeLimit);
        assert_eq!(forever(Sim::builder().busy_limit(0)), FailureKind::Livelock);
    }

    fn probabilities_that_are_none_are_refused() {
        let sim = Sim::new(1);
        let node = sim.host("a", pending::<()>);
        for wrong in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
            let mut link = Link::default();
            link.loss = wrong;
            says(&refusal(|| sim.set_link(link)), &["`Link::loss`", &wrong.to_string()]);
            says(&refusal(|| node.set_link_to(&node, link)), &["`Link::loss`"]);
            let mut link = Link::default();
            link.duplication = wrong;
            says(&refusal(|| sim.set_link(link)), &["`Link::duplication`"]);
        }
    }

    fn chaos_that_never_pauses_is_refused() {
        let sim = Sim::new(1);
        let mut chaos = Chaos::swarm();
        chaos.every = Duration::ZERO;
        says(&refusal(|| sim.chaos(chaos)), &["`Chaos::every`"]);
    }

    fn what_a_node_does_not_have_names_node_and_task() {
        let sim = Sim::new(1);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        sim.client("client", async move {
            let line = line!() + 1;
            let task = here().spawn(async move {
                use anyrt_core::net::FromStd;
                let stream = std::net::TcpStream::connect(address).unwrap();
                here().tcp_stream_from_std(stream).unwrap_err()
            });
            let error = task.await.unwrap();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let place = format!("task started at {}:{line}:", file!());
            says(&error.to_string(), &["\"client\"", "a connection of the operating system", &place]);
        });
        sim.run().unwrap();
    }
}
