//! Bugs that partitions, crashes, power failures and wrong clocks bring out.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt_core::net::UdpSocket as _;
use anyrt_core::{Net, Timer};
use anyrt_sim::fs::{File, from_std};
use anyrt_sim::{Node, Sim};
use futures_util::AsyncWriteExt;

use super::here;

/// Three nodes that elect the one of the lowest number; with the bug also without a majority.
pub(super) fn split_brain(seed: u64, bug: bool) -> bool {
    const STEP_DOWN: Duration = Duration::from_millis(200);
    const TAKE_OVER: Duration = Duration::from_millis(500);
    let sim = Sim::new(seed);
    let leaders = Arc::new(Mutex::new(BTreeSet::new()));
    let most = Arc::new(AtomicUsize::new(0));
    for number in 0..3_usize {
        let (leaders, most) = (Arc::clone(&leaders), Arc::clone(&most));
        sim.host(&format!("node-{number}"), move || {
            let (leaders, most) = (Arc::clone(&leaders), Arc::clone(&most));
            async move {
                let rt = here();
                let socket = rt.bind_udp("0.0.0.0:1").await.unwrap();
                rt.sleep(Duration::from_millis(1)).await;
                let peers: Vec<_> = (0..3)
                    .filter(|&peer| peer != number)
                    .map(|peer| rt.find_node(&format!("node-{peer}")).unwrap().address(1))
                    .collect();
                let mut heard = [rt.now(); 3];
                let mut since = None;
                loop {
                    for peer in &peers {
                        socket.send_to(&[number as u8], *peer).await.unwrap();
                    }
                    let next = rt.now() + Duration::from_millis(20);
                    let mut from = [0];
                    while let Ok(received) = rt.timeout_at(next, socket.recv(&mut from)).await {
                        received.unwrap();
                        heard[usize::from(from[0])] = rt.now();
                    }
                    let now = rt.now();
                    heard[number] = now;
                    let near = heard.iter().filter(|at| now - **at < STEP_DOWN).count();
                    let first = heard[..number].iter().all(|at| now - *at > STEP_DOWN);
                    // By then an earlier leader has stepped down.
                    if first && (bug || near >= 2) {
                        since.get_or_insert(now);
                    } else {
                        since = None;
                    }
                    let mut leaders = leaders.lock().unwrap();
                    if since.is_some_and(|since| now - since > TAKE_OVER) {
                        leaders.insert(number);
                    } else {
                        leaders.remove(&number);
                    }
                    most.fetch_max(leaders.len(), Ordering::SeqCst);
                }
            }
        });
    }
    sim.client("nemesis", async {
        let rt = here();
        let nodes = [0, 1, 2].map(|n| rt.find_node(&format!("node-{n}")).unwrap());
        rt.sleep(Duration::from_millis(800 + rt.random() % 400))
            .await;
        let alone = (rt.random() % 3) as usize;
        let others: Vec<_> = (0..3).filter(|n| *n != alone).map(|n| &nodes[n]).collect();
        let partition = rt.partition(&[&nodes[alone]], &others);
        rt.sleep(Duration::from_millis(rt.random() % 2_000)).await;
        partition.heal();
        rt.sleep(Duration::from_secs(2)).await;
    });
    sim.run().unwrap();
    most.load(Ordering::SeqCst) == 1
}

async fn open(path: &str, configure: fn(&mut std::fs::OpenOptions)) -> File {
    let mut options = std::fs::OpenOptions::new();
    configure(&mut options);
    let std = here().files().open(PathBuf::from(path), options).await;
    from_std(std.unwrap(), Some(here()))
}

async fn sync_directory() {
    let root = open("/", |options| _ = options.read(true)).await;
    root.sync_all().await.unwrap();
}

/// Asks a server by datagrams until it answers; `None` if it never does.
async fn ask(server: &Node, request: [u8; 2]) -> Option<Vec<u8>> {
    let rt = here();
    let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
    for _ in 0..100 {
        socket.send_to(&request, server.address(1)).await.unwrap();
        let mut answer = [0; 64];
        let soon = Duration::from_millis(50);
        // Refused while there is no listener.
        match rt.timeout(soon, socket.recv(&mut answer)).await {
            Ok(Ok(count)) => return Some(answer[..count].to_vec()),
            Ok(Err(_)) => rt.sleep(soon).await,
            Err(_) => {}
        }
    }
    None
}

/// Numbers that a server keeps in a log, while the power fails once. With the bug it answers before they are synced.
pub(super) fn no_sync(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let server = sim.host("db", move || async move {
        let files = here().files();
        let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
        let mut log = open("/log", |options| _ = options.append(true).create(true)).await;
        sync_directory().await;
        let before = files.read(PathBuf::from("/log")).await.unwrap();
        let mut kept: BTreeSet<u8> = before.into_iter().collect();
        loop {
            let mut request = [0; 2];
            let (_, from) = socket.recv_from(&mut request).await.unwrap();
            if request[0] != 0 && kept.insert(request[0]) {
                log.write_all(&request[..1]).await.unwrap();
                if !bug {
                    log.sync_all().await.unwrap();
                }
            }
            let kept: Vec<_> = kept.iter().copied().collect();
            socket.send_to(&kept, from).await.unwrap();
        }
    });
    kept_through_a_power_failure(&sim, server)
}

/// The same with the whole state in a file that takes the place of the last one. With the bug the directory is not
/// synced, so that the old file may come back.
pub(super) fn no_sync_of_the_directory(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let server = sim.host("db", move || async move {
        let files = here().files();
        let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
        let [new, path] = ["/state.new", "/state"].map(PathBuf::from);
        let before = files.read(path.clone()).await.unwrap_or_default();
        let mut kept: BTreeSet<u8> = before.into_iter().collect();
        loop {
            let mut request = [0; 2];
            let (_, from) = socket.recv_from(&mut request).await.unwrap();
            let changed = request[0] != 0 && kept.insert(request[0]);
            let state: Vec<_> = kept.iter().copied().collect();
            if changed {
                let mut file = open("/state.new", |options| {
                    options.write(true).create(true).truncate(true);
                })
                .await;
                file.write_all(&state).await.unwrap();
                file.sync_all().await.unwrap();
                files.rename(new.clone(), path.clone()).await.unwrap();
                if !bug {
                    sync_directory().await;
                }
            }
            socket.send_to(&state, from).await.unwrap();
        }
    });
    kept_through_a_power_failure(&sim, server)
}

/// Checks that a server still has its confirmed values at the end.
fn kept_through_a_power_failure(sim: &Sim, server: Node) -> bool {
    let lost = Arc::new(AtomicUsize::new(0));
    let (missing, asked) = (Arc::clone(&lost), server.clone());
    sim.client("client", async move {
        here().sleep(Duration::from_millis(1)).await;
        let mut confirmed = Vec::new();
        for number in 1..=10 {
            if ask(&asked, [number, 0]).await.is_some() {
                confirmed.push(number);
            }
        }
        here().sleep(Duration::from_millis(200)).await;
        let kept = ask(&asked, [0, 0]).await.unwrap();
        let gone = confirmed.iter().filter(|number| !kept.contains(number));
        missing.store(gone.count(), Ordering::SeqCst);
    });
    sim.client("nemesis", async move {
        let rt = here();
        rt.sleep(Duration::from_micros(rt.random() % 60_000)).await;
        server.power_off();
        rt.sleep(Duration::from_millis(10)).await;
        server.restart();
    });
    sim.run().unwrap();
    lost.load(Ordering::SeqCst) == 0
}

/// A voter that crashes now and then, and two candidates of each term. With the bug its votes are in memory only.
pub(super) fn forgotten_vote(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let voter = sim.host("voter", move || async move {
        let files = here().files();
        let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
        let mut log = open("/votes", |options| _ = options.append(true).create(true)).await;
        let before = files.read(PathBuf::from("/votes")).await.unwrap();
        let mut votes: BTreeMap<u8, u8> = before
            .chunks_exact(2)
            .map(|vote| (vote[0], vote[1]))
            .collect();
        loop {
            let mut request = [0; 2];
            let (_, from) = socket.recv_from(&mut request).await.unwrap();
            let [term, candidate] = request;
            if let Entry::Vacant(free) = votes.entry(term) {
                free.insert(candidate);
                if !bug {
                    log.write_all(&request).await.unwrap();
                    log.flush().await.unwrap();
                }
            }
            let granted = u8::from(votes[&term] == candidate);
            socket.send_to(&[granted], from).await.unwrap();
        }
    });
    let granted = Arc::new(Mutex::new(BTreeMap::new()));
    for candidate in 1..=2 {
        let (granted, voter) = (Arc::clone(&granted), voter.clone());
        sim.client(&format!("candidate-{candidate}"), async move {
            let rt = here();
            for term in 1..=5 {
                rt.sleep(Duration::from_millis(1 + rt.random() % 20)).await;
                if ask(&voter, [term, candidate]).await == Some(vec![1]) {
                    *granted.lock().unwrap().entry(term).or_insert(0) += 1;
                }
            }
        });
    }
    sim.client("nemesis", async move {
        let rt = here();
        for _ in 0..3 {
            rt.sleep(Duration::from_millis(1 + rt.random() % 40)).await;
            voter.crash();
            voter.restart();
        }
    });
    sim.run().unwrap();
    granted.lock().unwrap().values().all(|count| *count == 1)
}

/// A ticket that is good for ten seconds. With the bug its end is a time of day at the office, and compared with that at
/// the door; without, the door counts the seconds itself.
pub(super) fn two_clocks(seed: u64, bug: bool) -> bool {
    const GOOD: Duration = Duration::from_secs(10);
    let sim = Sim::new(seed);
    let office = sim.host("office", || async {
        let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
        loop {
            let (_, from) = socket.recv_from(&mut [0; 2]).await.unwrap();
            let until = here().system_time() + GOOD;
            let until = until.duration_since(std::time::UNIX_EPOCH).unwrap();
            let until = u64::try_from(until.as_millis()).unwrap().to_be_bytes();
            socket.send_to(&until, from).await.unwrap();
        }
    });
    let wrong = Arc::new(AtomicUsize::new(0));
    let (told, seller) = (Arc::clone(&wrong), office.clone());
    sim.client("door", async move {
        let rt = here();
        let good = |until: u64, since| match bug {
            true => {
                let now = rt.system_time().duration_since(std::time::UNIX_EPOCH);
                now.unwrap().as_millis() < u128::from(until)
            }
            false => rt.now() < since + GOOD,
        };
        for _ in 0..5 {
            rt.sleep(Duration::from_secs(1)).await;
            let ticket = ask(&seller, [1, 0]).await.unwrap();
            let (until, since) = (u64::from_be_bytes(ticket.try_into().unwrap()), rt.now());
            let at_once = good(until, since);
            rt.sleep(GOOD + Duration::from_secs(1)).await;
            let too_late = good(until, since);
            told.fetch_add(usize::from(!at_once || too_late), Ordering::SeqCst);
        }
    });
    sim.client("nemesis", async move {
        let rt = here();
        rt.sleep(Duration::from_secs(rt.random() % 60)).await;
        // Up to a minute wrong, either way.
        let millis = rt.random() % 120_000;
        office.set_clock_offset((millis.cast_signed() - 60_000) * 1_000_000);
    });
    sim.run().unwrap();
    wrong.load(Ordering::SeqCst) == 0
}
