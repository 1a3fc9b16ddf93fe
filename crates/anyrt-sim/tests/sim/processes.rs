//! One seed is one execution in every process.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::runtime::Owner;
use anyrt_core::{Blocking, Net, Spawner, Timer};
use anyrt_sim::{Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

/// Set for the child process: which program it runs.
const VARIABLE: &str = "ANYRT_SIM_TEST_CHILD";

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// An echo server, a time server by datagrams, clients of both, jobs and timers.
fn program(seed: u64, chance: bool) -> u64 {
    let sim = Sim::new(seed);
    sim.host("echo", || async {
        let rt = here();
        let listener = rt.bind_tcp("0.0.0.0:7").await.unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            drop(rt.spawn(async move {
                let (read, mut write) = AsyncReadExt::split(stream);
                let _ = futures_util::io::copy(read, &mut write).await;
                let _ = write.close().await;
            }));
        }
    });
    sim.host("time", || async {
        let rt = here();
        let socket = rt.bind_udp("0.0.0.0:37").await.unwrap();
        loop {
            let mut request = [0; 8];
            let (n, from) = socket.recv_from(&mut request).await.unwrap();
            socket.send_to(&request[..n], from).await.unwrap();
        }
    });
    for number in 0..4_u8 {
        sim.client(&format!("client-{number}"), async move {
            let rt = here();
            for round in 0..5 {
                let mut stream = rt.connect_tcp("echo:7").await.unwrap();
                let sent = rt.random().to_le_bytes();
                stream.write_all(&sent).await.unwrap();
                let mut answer = [0; 8];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(sent, answer);

                let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
                let time = rt.lookup_host("time:37").await.unwrap().next().unwrap();
                socket.send_to(&[number, round], time).await.unwrap();
                socket.recv(&mut answer).await.unwrap();

                let timer = rt.clone();
                let job = rt.spawn_blocking(move || {
                    timer.block_on(timer.sleep(Duration::from_micros(300)));
                    number
                });
                rt.sleep(Duration::from_millis(u64::from(number))).await;
                assert_eq!(job.await.unwrap(), number);
            }
        });
    }
    if chance {
        let rt = sim.handle();
        // The order of a map of std is another one in each process.
        let map: HashMap<u64, ()> = (0..20).map(|key| (key, ())).collect();
        for key in map.into_keys() {
            let timer = rt.clone();
            drop(rt.spawn(async move { timer.sleep(Duration::from_micros(key)).await }));
        }
    }
    sim.run().unwrap();
    assert_eq!(sim.foreign_wakes(), 0);
    sim.hash()
}

/// The hashes of seeds 0 to 9, of a fresh process.
fn in_a_process(what: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["processes::child", "--exact", "--ignored", "--nocapture"])
        .env(VARIABLE, what)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("hashes: "));
    line.unwrap_or_else(|| panic!("no hashes in {text}"))
        .1
        .to_owned()
}

#[test]
#[ignore = "the test below starts it in a process of its own"]
fn child() {
    let Ok(what) = std::env::var(VARIABLE) else {
        return;
    };
    let hashes: Vec<_> = (0..10)
        .map(|seed| format!("{:016x}", program(seed, what == "chance")))
        .collect();
    println!("\nhashes: {}", hashes.join(" "));
}

tests! {
    fn two_processes_have_the_same_hashes() {
        let (one, other) = (in_a_process("order"), in_a_process("order"));
        assert_eq!(one, other);
        let unique: std::collections::BTreeSet<_> = one.split(' ').collect();
        assert_eq!(unique.len(), 10, "each seed is another execution: {one}");
    }

    fn chance_from_outside_shows_in_the_hashes() {
        assert_ne!(in_a_process("chance"), in_a_process("chance"));
    }
}
