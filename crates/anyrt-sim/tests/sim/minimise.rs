//! A report lists the few faults that the failure needs, and replays it with these alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::{Net, Timer};
use anyrt_sim::testing::{Test, run};
use anyrt_sim::{Chaos, FaultId, Link, Sim, SimRuntime, Trouble};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Keeps a byte in memory: `0` asks for it, anything else sets it.
fn keeper(rt: &SimRuntime, name: &str) {
    rt.host(name, || async {
        let listener = here().bind_tcp("0.0.0.0:1").await.unwrap();
        let mut kept = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0];
            if stream.read_exact(&mut request).await.is_ok() {
                if request[0] != 0 {
                    kept = request[0];
                }
                let _ = stream.write_all(&[kept]).await;
            }
        }
    });
}

/// Asks a keeper until it answers.
async fn ask(name: &str, request: u8) -> u8 {
    let rt = here();
    loop {
        let attempt = async {
            let mut stream = rt.connect_tcp(format!("{name}:1")).await?;
            stream.write_all(&[request]).await?;
            let mut answer = [0];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer[0])
        };
        if let Ok(Ok(answer)) = rt.timeout(Duration::from_millis(500), attempt).await {
            return answer;
        }
        rt.sleep(Duration::from_millis(50)).await;
    }
}

/// Two copies in memory: lost if both hosts have crashed, and in no other case.
async fn two_copies() -> Option<String> {
    let rt = here();
    keeper(&rt, "a");
    keeper(&rt, "b");
    for name in ["a", "b"] {
        ask(name, 7).await;
    }
    let mut chaos = Chaos::of([
        Trouble::Crash,
        Trouble::Pause,
        Trouble::Partition,
        Trouble::WrongClock,
    ]);
    chaos.every = Duration::from_secs(1);
    rt.chaos(chaos);
    rt.sleep(Duration::from_secs(40)).await;
    let copies = [ask("a", 0).await, ask("b", 0).await];
    assert!(copies.contains(&7), "the value is lost"); // the place
    None
}

/// Each datagram is sent twice: gone only if both of one number are lost.
async fn twice() -> Option<String> {
    let rt = here();
    let server = rt.host("server", || async {
        let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
        let (mut seen, mut number) = ([false; 50], [0]);
        while seen.contains(&false) {
            let received = here()
                .timeout(Duration::from_secs(1), socket.recv(&mut number))
                .await;
            received.expect("one of fifty never came").unwrap();
            seen[usize::from(number[0])] = true;
        }
    });
    let mut link = Link::default();
    link.loss = 0.2;
    link.duplication = 0.1;
    rt.set_link(link);
    rt.sleep(Duration::from_millis(1)).await;
    let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
    for number in 0..50 {
        for _ in 0..2 {
            socket.send_to(&[number], server.address(1)).await.unwrap();
        }
    }
    rt.sleep(Duration::from_secs(5)).await;
    None
}

/// A partition and a crash of the test's own, of which only the crash matters.
async fn by_hand() -> Option<String> {
    let rt = here();
    keeper(&rt, "a");
    keeper(&rt, "b");
    ask("a", 7).await;
    let node = |name| rt.find_node(name).unwrap();
    drop(rt.partition(&[&node("a")], &[&node("b")]));
    node("a").crash();
    node("a").restart();
    node("b").pause();
    node("b").resume();
    (ask("a", 0).await != 7).then(|| "the value is lost".to_owned())
}

/// Always fails, whatever happens.
async fn wrong_anyway() -> Option<String> {
    let rt = here();
    keeper(&rt, "a");
    let mut chaos = Chaos::of([Trouble::Pause]);
    chaos.every = Duration::from_secs(1);
    rt.chaos(chaos);
    rt.sleep(Duration::from_secs(20)).await;
    Some(format!("wrong at {:?}", rt.elapsed()))
}

/// The report of a test that fails.
fn report<F>(name: &'static str, body: fn() -> F) -> String
where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let test = Test {
        name,
        package: Some("anyrt-sim"),
        seeds: 20,
        check: 0,
        time_limit: None,
        timeout: Duration::from_secs(200),
    };
    let caught = catch_unwind(AssertUnwindSafe(|| run(test, move || Box::pin(body()))));
    *caught.unwrap_err().downcast::<String>().unwrap()
}

/// The faults that a report lists, and those of its last line.
fn faults(report: &str) -> (Vec<&str>, Vec<FaultId>, u64) {
    let listed: Vec<_> = report
        .lines()
        .filter(|line| line.starts_with("    "))
        .collect();
    let (_, line) = report.split_once("to replay it: ANYRT_SIM_SEED=").unwrap();
    let (seed, line) = line.split_once(" ANYRT_SIM_FAULTS=").expect(report);
    let (list, _) = line.split_once(' ').unwrap();
    let list = match list {
        "none" => Vec::new(),
        list => list.split(',').map(|id| id.parse().unwrap()).collect(),
    };
    (listed, list, seed.parse().unwrap())
}

tests! {
    fn the_two_crashes_that_lose_both_copies_are_told() {
        let report = report("sim::minimise::two_copies", two_copies);
        let (listed, list, seed) = faults(&report);
        assert_eq!((listed.len(), list.len()), (2, 2), "{report}");
        for host in ["a crash of a, for", "a crash of b, for"] {
            assert!(listed.iter().any(|line| line.contains(host)), "{report}");
        }
        let (_, count) = report.split_once("\n2 of the ").unwrap();
        let count: u64 = count.split_once(' ').unwrap().0.parse().unwrap();
        assert!(count > 30, "many faults happened: {report}");
        // The list alone leads to the same failure, at the same place.
        let simulate = |faults: &[FaultId]| {
            let faults = faults.iter().copied();
            let sim = Sim::builder().seed(seed).only_faults(faults).build().unwrap();
            sim.client("test", async { assert_eq!(two_copies().await, None) });
            sim.run()
        };
        let failure = simulate(&list).unwrap_err();
        let line = 1 + include_str!("minimise.rs").lines().position(|line| line.ends_with("// the place")).unwrap();
        assert!(failure.place().unwrap().contains(&format!("minimise.rs:{line}:")), "{failure}");
        assert!(report.contains(&format!("fails at {:?}", failure.time())), "{report}\n{failure}");
        for left_out in 0..2 {
            simulate(&list[left_out..=left_out]).unwrap();
        }
    }

    fn the_two_datagrams_that_must_both_be_lost_are_told() {
        let report = report("sim::minimise::twice", twice);
        let (listed, list, _) = faults(&report);
        assert_eq!((listed.len(), list.len()), (2, 2), "{report}");
        assert!(listed.iter().all(|line| line.contains("a packet from test to server is lost")), "{report}");
    }

    fn faults_of_the_test_itself_are_told_as_well() {
        let report = report("sim::minimise::by_hand", by_hand);
        let (listed, ..) = faults(&report);
        assert!(listed.len() == 1 && listed[0].contains("t2 at") && listed[0].ends_with("a crash of a"), "{report}");
        assert!(report.contains("1 of the 3 faults is needed"), "{report}");
    }

    fn a_failure_without_a_cause_among_the_faults_is_told() {
        let report = report("sim::minimise::wrong_anyway", wrong_anyway);
        let (listed, list, _) = faults(&report);
        assert!(listed.is_empty() && list.is_empty(), "{report}");
        assert!(report.contains("none of the ") && report.contains("without them it fails at"), "{report}");
        assert!(report.contains("ANYRT_SIM_FAULTS=none cargo test"), "{report}");
    }

    fn the_execution_that_is_told_is_written_as_a_trace() {
        let report = report("sim::minimise::traced", by_hand);
        let (_, path) = report.split_once("https://ui.perfetto.dev: ").unwrap();
        let path = path.lines().next().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let faults: Vec<_> = events
            .iter()
            .filter(|event| event["name"].as_str().is_some_and(|name| name.starts_with("fault ")))
            .map(|event| (event["name"].as_str().unwrap(), event["pid"].as_u64().unwrap()))
            .collect();
        // Process 1 is the node `main`, then come `test` and `a`.
        assert_eq!(faults, [("fault t2: a crash of a", 3)], "only what is needed");
    }

    fn what_is_left_out_is_as_if_it_had_not_been_asked_for() {
        let sim = Sim::builder().seed(1).only_faults([]).build().unwrap();
        let node = sim.host("a", std::future::pending::<()>);
        sim.client("client", async move {
            let rt = here();
            node.crash();
            node.power_off();
            node.pause();
            assert!(node.is_up());
            let cut = rt.partition(&[&rt.node()], &[&node]);
            let held = rt.hold(&[&rt.node()], &[&node]);
            let refused = rt.connect_tcp("a:1").await.unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "it is reached");
            drop((cut, held));
        });
        sim.run().unwrap();
        assert!(sim.faults().is_empty() && sim.fault_count() == 0);
    }
}
