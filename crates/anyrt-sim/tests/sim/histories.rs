//! The histories of the clients of a simulated store are checked for linearizability.

use std::time::Duration;

use anyrt_core::net::UdpSocket as _;
use anyrt_core::{Net, Timer};
use anyrt_sim::history::{Answer, History, MapAnswer, MapOperation, Operation, Violation};
use anyrt_sim::history::{KeyValue, Register};
use anyrt_sim::{Sim, SimRuntime};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

const KEYS: usize = 2;

/// A primary and a replica. The primary answers each write before it forwards it to the replica. Requests are
/// `[key, value]`, where 0 asks; answers `[value]`.
fn store(sim: &Sim) {
    for name in ["primary", "replica"] {
        sim.host(name, move || async move {
            let rt = here();
            let socket = rt.bind_udp("0.0.0.0:1").await.unwrap();
            let mut values = [0; KEYS];
            loop {
                let mut request = [0; 2];
                let (_, from) = socket.recv_from(&mut request).await.unwrap();
                let value = &mut values[usize::from(request[0])];
                if request[1] != 0 {
                    *value = request[1];
                }
                if from.port() != 1 {
                    socket.send_to(&[*value], from).await.unwrap();
                }
                if name == "primary" && request[1] != 0 {
                    let replica = rt.find_node("replica").unwrap().address(1);
                    socket.send_to(&request, replica).await.unwrap();
                }
            }
        });
    }
}

async fn ask(name: &str, key: usize, value: u8) -> u8 {
    let rt = here();
    let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
    let server = rt.find_node(name).unwrap().address(1);
    socket.send_to(&[key as u8, value], server).await.unwrap();
    let mut answer = [0];
    socket.recv(&mut answer).await.unwrap();
    answer[0]
}

/// Two writers and three readers; with the bug two of the readers ask the replica.
pub(crate) fn map(seed: u64, bug: bool) -> Result<(), Violation> {
    let sim = Sim::new(seed);
    store(&sim);
    let history = History::<KeyValue<usize, u8>>::new();
    for number in 0..5_u8 {
        let name = format!("client-{number}");
        let mut client = history.client(&name);
        sim.client(&name, async move {
            let rt = here();
            rt.sleep(Duration::from_millis(1)).await;
            for round in 1..10 {
                let key = (rt.random() % KEYS as u64) as usize;
                if number < 2 {
                    let value = number * 100 + round;
                    client.invoke(MapOperation::Put(key, value));
                    ask("primary", key, value).await;
                    client.ret(MapAnswer::Done);
                } else {
                    client.invoke(MapOperation::Get(key));
                    let from = if bug && number > 2 {
                        "replica"
                    } else {
                        "primary"
                    };
                    let value = ask(from, key, 0).await;
                    client.ret(MapAnswer::Value((value != 0).then_some(value)));
                }
                rt.sleep(Duration::from_micros(rt.random() % 1_000)).await;
            }
        });
    }
    sim.run().unwrap();
    assert_eq!(history.len(), 45);
    history.check()
}

/// One writer and one reader of the first key; with the bug the reader asks the replica.
fn register(seed: u64, bug: bool) -> Result<(), Violation> {
    let sim = Sim::new(seed);
    store(&sim);
    let history = History::<Register<u8>>::new();
    let (mut writer, mut reader) = (history.client("writer"), history.client("reader"));
    sim.client("writer", async move {
        here().sleep(Duration::from_millis(1)).await;
        for value in 1..20 {
            writer.invoke(Operation::Write(value));
            ask("primary", 0, value).await;
            writer.ret(Answer::Done);
        }
    });
    sim.client("reader", async move {
        here().sleep(Duration::from_millis(1)).await;
        for _ in 1..20 {
            reader.invoke(Operation::Read);
            let value = ask(if bug { "replica" } else { "primary" }, 0, 0).await;
            reader.ret(Answer::Value(value));
        }
    });
    sim.run().unwrap();
    history.check()
}

tests! {
    fn a_stale_read_of_a_replica_is_found_and_shown_in_a_few_lines() {
        for program in [map, register] {
            let found = (0..200).find_map(|seed| program(seed, true).err().map(|found| (seed, found)));
            let (seed, violation) = found.expect("no seed finds it");
            assert!((2..=6).contains(&violation.shown()), "{violation}");
            let text = violation.to_string();
            for part in ["not linearizable", "ms .. ", "<- this one"] {
                assert!(text.contains(part), "{part:?} is not in {text}");
            }
            assert_eq!(program(seed, true), Err(violation), "it replays");
        }
    }

    fn a_store_that_is_read_at_its_primary_is_clean() {
        for seed in 0..200 {
            for program in [map, register] {
                if let Err(violation) = program(seed, false) {
                    panic!("seed {seed}: {violation}");
                }
            }
        }
    }
}
