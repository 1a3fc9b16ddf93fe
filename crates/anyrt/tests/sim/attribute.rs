//! `#[anyrt::test(sim)]`: many seeds, the report of a failure, and its replay.
//!
//! Tests that fail on purpose are ignored; other tests run them in a child process and check its
//! output.

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::sim::{Chaos, Trouble, current};
use anyrt::task::yield_now;
use anyrt::time::{sleep, timeout};

#[anyrt::test(sim, seeds = 20, check = 2)]
async fn a_right_program_passes() -> std::io::Result<()> {
    current().host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            anyrt::spawn(async move { stream.write_u64(current().random()).await });
        }
    });
    let answers: Vec<_> = (0..3)
        .map(|_| {
            anyrt::spawn(async {
                sleep(Duration::from_millis(5)).await;
                TcpStream::connect("server:80").await?.read_u64().await
            })
        })
        .collect();
    for answer in answers {
        answer.await.unwrap()?;
    }
    Ok(())
}

#[anyrt::test(sim)]
#[should_panic(expected = "on purpose")]
async fn other_attributes_go_to_the_test() {
    panic!("on purpose");
}

/// Two deposits, one of which is lost under some orders.
#[anyrt::test(sim, seeds = 200)]
#[ignore = "fails on purpose"]
async fn loses_a_deposit() {
    let balance = Arc::new(AtomicU32::new(0));
    let deposits = [(); 2].map(|()| {
        let balance = Arc::clone(&balance);
        anyrt::spawn(async move {
            let before = balance.load(Ordering::Relaxed);
            yield_now().await;
            balance.store(before + 1, Ordering::Relaxed);
        })
    });
    for deposit in deposits {
        deposit.await.unwrap();
    }
    assert_eq!(balance.load(Ordering::Relaxed), 2, "a deposit is lost"); // the reported place
}

#[anyrt::test(sim, seeds = 3, check = 2)]
#[ignore = "fails on purpose"]
async fn asks_a_hash_map() {
    let map: HashMap<u64, ()> = (0..20).map(|key| (key, ())).collect();
    for key in map.into_keys() {
        sleep(Duration::from_micros(key)).await;
        anyrt::spawn(async move { sleep(Duration::from_millis(key)).await });
    }
    sleep(Duration::from_millis(50)).await;
}

#[anyrt::test(sim, time_limit = "10m")]
#[ignore = "fails on purpose"]
async fn takes_too_long() {
    sleep(Duration::from_secs(601)).await;
}

#[anyrt::test(sim, seeds = 5)]
#[ignore = "fails on purpose"]
async fn gives_an_error() -> Result<(), &'static str> {
    Err("what went wrong")
}

#[anyrt::test(sim, seeds = 100)]
#[ignore = "fails under seed 150"]
async fn is_right_for_a_hundred_seeds() {
    assert_ne!(current().seed(), 150, "that one");
}

#[anyrt::test(sim, timeout_secs = 1)]
#[ignore = "fails on purpose"]
async fn never_gives_its_thread_back() {
    loop {
        std::hint::spin_loop();
    }
}

#[anyrt::test(sim, seeds = 100)]
async fn what_must_happen_sometimes_does() {
    let misbehaves = anyrt::buggify!();
    anyrt::sometimes!(misbehaves, "the place misbehaves");
    anyrt::sometimes!(!misbehaves, "the place is in order");
}

#[anyrt::test(sim, seeds = 5, check = 2)]
#[ignore = "fails on purpose"]
async fn what_must_happen_never_does() {
    anyrt::sometimes!(true, "this happens");
    anyrt::sometimes!(current().seed() > 5, "this does not");
}

/// A host that keeps a byte in memory and serves it.
fn keeper(name: &str) {
    current().host(name, || async {
        let listener = TcpListener::bind("0.0.0.0:1").await.unwrap();
        let mut kept = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if let Ok(request) = stream.read_u8().await {
                if request != 0 {
                    kept = request;
                }
                let _ = stream.write_u8(kept).await;
            }
        }
    });
}

/// Asks a keeper until it answers.
async fn ask(name: &str, request: u8) -> u8 {
    loop {
        let attempt = async {
            let mut stream = TcpStream::connect((name, 1)).await?;
            stream.write_u8(request).await?;
            stream.read_u8().await
        };
        if let Ok(Ok(answer)) = timeout(Duration::from_millis(500), attempt).await {
            return answer;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[anyrt::test(sim, seeds = 20)]
#[ignore = "fails on purpose"]
async fn loses_both_copies() {
    keeper("a");
    keeper("b");
    ask("a", 7).await;
    ask("b", 7).await;
    current().chaos(Chaos::of(Trouble::ALL));
    sleep(Duration::from_secs(40)).await;
    let copies = [ask("a", 0).await, ask("b", 0).await];
    assert!(copies.contains(&7), "the value is lost");
}

/// Something that no two processes have in common.
fn by_chance() -> Duration {
    use std::hash::{BuildHasher, RandomState};
    Duration::from_micros(RandomState::new().hash_one(7) % 1_000_000)
}

#[anyrt::test(sim, seeds = 2, check = 2)]
#[ignore = "fails on purpose"]
async fn sleeps_for_a_time_by_chance() {
    sleep(by_chance()).await;
    sleep(Duration::from_millis(1)).await;
}

#[anyrt::test(sim, seeds = 2, check = 2)]
#[ignore = "fails on purpose"]
async fn opens_a_real_socket() {
    static SOCKET: OnceLock<std::net::UdpSocket> = OnceLock::new();
    SOCKET.get_or_init(|| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    sleep(by_chance()).await;
}

#[anyrt::test(sim, seeds = 2, check = 2)]
#[ignore = "fails on purpose"]
async fn starts_a_thread() {
    static THREAD: OnceLock<std::thread::JoinHandle<()>> = OnceLock::new();
    THREAD.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        })
    });
    sleep(by_chance()).await;
}

/// Runs a test of this file in a child process. Returns whether it passed, and its output.
fn run(test: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--include-ignored", "--nocapture", "--exact"])
        .arg(format!("attribute::{test}::sim"))
        .env_remove("ANYRT_SIM_SEED")
        .env_remove("ANYRT_SIM_SEEDS")
        .env_remove("ANYRT_SIM_FAULTS")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(out.contains("running 1 test"), "{out}{err}");
    (output.status.success(), out + &err)
}

/// Returns the seed of the command that a failure prints.
#[track_caller]
fn seed_to_replay(text: &str, test: &str) -> String {
    let (_, command) = text.split_once("to replay it: ANYRT_SIM_SEED=").unwrap();
    let (seed, command) = command.split_once(' ').unwrap();
    let expected = format!("cargo test -p anyrt -- --exact attribute::{test}::sim");
    assert_eq!(command.lines().next(), Some(&*expected));
    seed.to_owned()
}

#[test]
fn a_failure_tells_the_seed_the_time_the_step_and_the_place() {
    let (passed, text) = run("loses_a_deposit", &[]);
    assert!(!passed);
    let line = 1 + include_str!("attribute.rs")
        .lines()
        .position(|line| line.ends_with("// the reported place"))
        .unwrap();
    for part in [
        "loses_a_deposit::sim failed with seed ",
        "s of virtual time, step ",
        "the node \"test\" panicked at ",
        &format!("attribute.rs:{line}:"),
        "a deposit is lost",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert!(!text.contains("went another way"), "{text}");
    let seed = seed_to_replay(&text, "loses_a_deposit");
    let failure = |text: &str| {
        let at = text.find("attribute::loses_a_deposit::sim failed").unwrap();
        text[at..].lines().next().unwrap().to_owned()
    };
    let (passed, again) = run("loses_a_deposit", &[("ANYRT_SIM_SEED", &seed)]);
    assert!(!passed);
    assert_eq!(failure(&text), failure(&again), "it replays");
}

/// In `ci` a few fresh processes; by command as many as asked for:
/// `ANYRT_TEST_REPLAYS=100 cargo test -p anyrt --features sim,full --test sim reproduces`.
#[test]
fn each_printed_line_reproduces_its_failure_in_every_process() {
    let times = std::env::var("ANYRT_TEST_REPLAYS");
    let times: u32 = times.map_or(3, |times| times.parse().unwrap());
    for test in [
        "loses_a_deposit",
        "gives_an_error",
        "takes_too_long",
        "loses_both_copies",
    ] {
        let (passed, report) = run(test, &[]);
        assert!(!passed, "{report}");
        let (_, line) = report.split_once("to replay it: ").unwrap();
        let (variables, _) = line.split_once("cargo test").unwrap();
        let variables: Vec<_> = variables
            .split_whitespace()
            .map(|variable| variable.split_once('=').unwrap())
            .collect();
        let has_faults = variables
            .iter()
            .any(|(name, _)| *name == "ANYRT_SIM_FAULTS");
        assert_eq!(has_faults, test == "loses_both_copies", "{report}");
        // Where the execution fails that the line replays.
        let (before, _) = report.rsplit_once(" of virtual time, step ").unwrap();
        let (_, time) = before.rsplit_once(' ').unwrap();
        let (_, step) = report.rsplit_once(" of virtual time, step ").unwrap();
        let step: String = step.chars().take_while(char::is_ascii_digit).collect();
        let expected = format!("at {time} of virtual time, step {step}: ");
        for number in 1..=times {
            let (passed, again) = run(test, &variables);
            assert!(
                !passed && again.contains(&expected),
                "{number}: {expected}{again}"
            );
        }
    }
}

#[test]
fn the_faults_that_are_needed_are_told() {
    let (passed, report) = run("loses_both_copies", &[]);
    assert!(!passed);
    assert!(report.contains("\n2 of the "), "{report}");
    // The two hosts by which the copies are lost: a crash or a power failure each.
    for host in [" of a, for ", " of b, for "] {
        let listed = report.lines().filter(|line| line.starts_with("    "));
        assert_eq!(
            listed.filter(|line| line.contains(host)).count(),
            1,
            "{report}"
        );
    }
    assert!(report.contains("for https://ui.perfetto.dev: "), "{report}");
    for (variables, part) in [
        (
            [("ANYRT_SIM_SEED", "1"), ("ANYRT_SIM_FAULTS", "x")],
            "ANYRT_SIM_FAULTS: \"x\" names no fault",
        ),
        (
            [("ANYRT_SIM_SEED", ""), ("ANYRT_SIM_FAULTS", "1")],
            "so ANYRT_SIM_SEED must be set too",
        ),
    ] {
        let (passed, text) = run("loses_both_copies", &variables);
        assert!(!passed && text.contains(part), "{text}");
    }
}

#[test]
fn likely_sources_of_chance_are_named() {
    for (test, part) in [
        (
            "sleeps_for_a_time_by_chance",
            "The same happens at another time",
        ),
        (
            "opens_a_real_socket",
            "1 sockets of the operating system were open",
        ),
        (
            "starts_a_thread",
            "1 threads ran that the program had started by itself",
        ),
    ] {
        let (passed, text) = run(test, &[]);
        assert!(
            !passed && text.contains(part),
            "{part:?} is missing in {text}"
        );
        seed_to_replay(&text, test);
    }
}

#[test]
fn a_replay_writes_a_trace_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let trace = path.to_str().unwrap();
    let (passed, _) = run(
        "gives_an_error",
        &[("ANYRT_SIM_SEED", "3"), ("ANYRT_SIM_TRACE", trace)],
    );
    assert!(!passed);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("node test") && text.ends_with("]}\n"),
        "{text}"
    );
}

#[test]
fn executions_that_differ_between_processes_are_found() {
    let (passed, text) = run("asks_a_hash_map", &[]);
    assert!(!passed);
    for part in [
        "executions of seed 0 in two processes differ",
        "The first step that differs is ",
        "both: ",
        "`HashMap`",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    seed_to_replay(&text, "asks_a_hash_map");
}

#[test]
fn the_limit_of_virtual_time_is_kept() {
    let (passed, text) = run("takes_too_long", &[]);
    assert!(
        !passed && text.contains("the time limit of 600s has passed"),
        "{text}"
    );
}

#[test]
fn a_limit_of_real_time_is_kept() {
    let (passed, text) = run("never_gives_its_thread_back", &[]);
    assert!(
        !passed && text.contains("has not ended after 1s; it is at seed 0"),
        "{text}"
    );
}

#[test]
fn a_result_that_is_an_error_is_a_failure() {
    let (passed, text) = run("gives_an_error", &[]);
    assert!(
        !passed
            && text.contains("failed with seed 0 at ")
            && text.contains(": Error: \"what went wrong\""),
        "{text}"
    );
    seed_to_replay(&text, "gives_an_error");
}

#[test]
fn the_environment_widens_the_seeds() {
    let test = "is_right_for_a_hundred_seeds";
    assert!(run(test, &[]).0);
    assert!(run(test, &[("ANYRT_SIM_SEEDS", "151..200")]).0);
    let (passed, text) = run(test, &[("ANYRT_SIM_SEEDS", "200")]);
    assert!(
        !passed && !text.contains("of 200 seeds"),
        "no terminal looks: {text}"
    );
    assert_eq!(seed_to_replay(&text, test), "150");
    let (passed, text) = run(test, &[("ANYRT_SIM_SEED", "x")]);
    assert!(
        !passed && text.contains("ANYRT_SIM_SEED must be a number, and is \"x\""),
        "{text}"
    );
}

#[test]
fn what_happens_under_no_seed_is_a_failure() {
    let test = "what_must_happen_never_does";
    let (passed, text) = run(test, &[]);
    let expected = "under none of the 5 seeds it happened that \"this does not\"";
    assert!(!passed && text.contains(expected), "{text}");
    let (passed, text) = run(test, &[("ANYRT_SIM_SEEDS", "4..6")]);
    assert!(
        !passed && text.contains("under none of the 2 seeds"),
        "{text}"
    );
    assert!(run(test, &[("ANYRT_SIM_SEEDS", "8")]).0);
    assert!(
        run(test, &[("ANYRT_SIM_SEED", "1")]).0,
        "one seed need not reach it"
    );
}
