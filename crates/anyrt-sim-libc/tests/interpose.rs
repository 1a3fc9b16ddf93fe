//! What code that asks std or the system sees inside of a simulation, and outside.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyrt_core::{Blocking, Timer};
use anyrt_sim::testing::{self, Test};
use anyrt_sim::{Sim, SimRuntime};
use anyrt_sim_libc as _;

fn rt() -> SimRuntime {
    SimRuntime::try_current().expect("in a simulation")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of std is what is tested"
)]
fn std_now() -> Instant {
    Instant::now()
}

fn simulate<F: Future<Output = ()> + Send + 'static>(future: F) {
    let sim = Sim::new(7);
    sim.client("client", future);
    sim.run().expect("the simulation succeeds");
}

#[test]
fn std_asks_this_crate() {
    assert!(anyrt_sim_libc::is_active());
}

#[test]
fn the_clocks_of_std_are_the_nodes() {
    simulate(async {
        assert_eq!(std_now(), rt().now());
        assert_eq!(SystemTime::now(), rt().system_time());
        rt().sleep(Duration::from_secs(86_000)).await;
        assert_eq!(std_now(), rt().now());
        rt().node().set_clock_offset(-5_000_000_000);
        assert_eq!(SystemTime::now(), rt().system_time());
        let job = rt().spawn_blocking(|| assert_eq!(std_now(), rt().now()));
        job.await.unwrap();
    });
}

#[test]
fn the_real_system_answers_elsewhere() {
    let real = SystemTime::now();
    let (send, receive) = mpsc::channel();
    simulate(async move {
        rt().sleep(Duration::from_secs(3_600)).await;
        let inside = SystemTime::now();
        let thread = thread::spawn(SystemTime::now).join().unwrap();
        send.send((inside, thread)).unwrap();
    });
    let (inside, thread) = receive.recv().unwrap();
    // The real date is what it was, moments ago; the virtual one is another.
    let after = SystemTime::now();
    assert!((real..=after).contains(&thread));
    assert!(!(real..=after).contains(&inside));
    let mut bytes = [[0; 16]; 2];
    for bytes in &mut bytes {
        getrandom_04::fill(bytes).unwrap();
    }
    assert_ne!(bytes[0], bytes[1]);
}

#[test]
fn node_names_resolve_by_std() {
    let sim = Sim::new(1);
    sim.host("server", std::future::pending::<()>);
    sim.client("client", async {
        let resolve = || ("server", 80).to_socket_addrs().map(Vec::from_iter);
        let found = rt().spawn_blocking(resolve).await.unwrap().unwrap();
        let server = rt().find_node("server").unwrap();
        assert_eq!(found, [(server.ip(), 80).into()]);
        let unknown = || ("example.org", 80).to_socket_addrs().map(Vec::from_iter);
        let error = rt().spawn_blocking(unknown).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("Name or service"), "{error}");
        let literal = || ("127.0.0.1", 80).to_socket_addrs().map(Vec::from_iter);
        assert!(rt().spawn_blocking(literal).await.unwrap().is_ok());
    });
    sim.run().unwrap();
}

/// Lets the moments of the simulation depend on the number.
async fn tell(number: u64) {
    rt().sleep(Duration::from_nanos(number % 1_000_000)).await;
}

fn order_of_a_map() -> Vec<u64> {
    let map: HashMap<u64, ()> = (0..100).map(|key| (key, ())).collect();
    map.into_keys().collect()
}

async fn what_std_has() {
    for key in order_of_a_map() {
        tell(key * 1_000).await;
    }
    // A thread of its own, and so keys of its own.
    for key in rt().spawn_blocking(order_of_a_map).await.expect("it works") {
        tell(key * 1_000).await;
    }
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("it works");
    tell(since.as_nanos() as u64).await;
    let instant = format!("{:?}", std_now());
    let digest = instant.bytes().fold(0, |all: u64, byte| {
        all.wrapping_mul(31).wrapping_add(byte.into())
    });
    tell(digest).await;
}

async fn what_crates_draw() {
    let mut bytes = [[0; 8]; 2];
    getrandom_03::fill(&mut bytes[0]).expect("it works");
    getrandom_04::fill(&mut bytes[1]).expect("it works");
    for bytes in bytes {
        tell(u64::from_le_bytes(bytes)).await;
    }
    tell(fastrand::u64(..)).await;
}

fn run(name: &'static str, body: impl Fn() -> testing::Body + Send + Sync + 'static) {
    let test = Test {
        name,
        package: None,
        seeds: 20,
        check: 2,
        time_limit: None,
        timeout: Duration::from_secs(120),
    };
    testing::run(test, body);
}

#[test]
fn what_std_has_is_equal_in_two_processes() {
    run("interpose::what_std_has_is_equal_in_two_processes", || {
        Box::pin(async {
            what_std_has().await;
            None
        })
    });
}

#[test]
fn what_crates_draw_is_equal_in_two_processes() {
    run(
        "interpose::what_crates_draw_is_equal_in_two_processes",
        || {
            Box::pin(async {
                what_crates_draw().await;
                None
            })
        },
    );
}

/// Draws of one seed are those of another no more than chance has it, and the same when it runs again after others.
#[test]
fn a_seed_draws_the_same_on_a_fresh_thread() {
    let draw = |seed| {
        let sim = move || {
            let (send, receive) = mpsc::channel();
            let sim = Sim::new(seed);
            sim.client("client", async move {
                let mut bytes = [0; 32];
                getrandom_03::fill(&mut bytes).unwrap();
                send.send((bytes, order_of_a_map())).unwrap();
            });
            sim.run().unwrap();
            receive.recv().unwrap()
        };
        thread::spawn(sim).join().unwrap()
    };
    let first = draw(1);
    assert_ne!(first, draw(2));
    assert_eq!(first, draw(1));
}
