//! Bugs that were planted are found within 200 seeds; the same programs without them are clean.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{FailureKind, Link, Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// `program` tells whether all went well under a seed, with the bug or without it.
#[track_caller]
fn is_found(program: fn(seed: u64, bug: bool) -> bool) {
    let found = (0..200).find(|&seed| !program(seed, true));
    let Some(found) = found else {
        panic!("no seed finds it");
    };
    assert!(!program(found, true), "seed {found} does not find it again");
    if let Some(seed) = (0..200).find(|&seed| !program(seed, false)) {
        panic!("the right program fails with seed {seed}");
    }
}

/// Two deposits at once; with the bug the balance is read before an await and written after it.
fn deposits(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let balance = Arc::new(Mutex::new(0));
    let rt = sim.handle();
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let balance = Arc::clone(&balance);
            rt.spawn(async move {
                if bug {
                    let before = *balance.lock().unwrap();
                    yield_now().await;
                    *balance.lock().unwrap() = before + 1;
                } else {
                    yield_now().await;
                    *balance.lock().unwrap() += 1;
                }
            })
        })
        .collect();
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    *balance.lock().unwrap() == 2
}

/// Waits for a flag; with the bug it looks first and leaves its waker afterwards.
fn lost_wake_up(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let flag = Arc::new(Mutex::new((false, None::<Waker>)));
    let rt = sim.handle();
    let other = Arc::clone(&flag);
    drop(rt.spawn(async move {
        yield_now().await;
        let waker = {
            let mut flag = other.lock().unwrap();
            flag.0 = true;
            flag.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    let waiter = async {
        if bug && flag.lock().unwrap().0 {
            return;
        }
        yield_now().await;
        let mut waited = false;
        std::future::poll_fn(|cx| {
            let mut flag = flag.lock().unwrap();
            // Without the bug it looks again, under the lock.
            if (!bug && flag.0) || waited {
                return Poll::Ready(());
            }
            flag.1 = Some(cx.waker().clone());
            waited = bug;
            Poll::Pending
        })
        .await;
    };
    match sim.try_block_on(waiter) {
        Ok(()) => true,
        Err(failure) => {
            assert_eq!(failure.kind(), FailureKind::Deadlock);
            false
        }
    }
}

/// Two tasks take two locks; with the bug in different orders.
fn two_locks(seed: u64, bug: bool) -> bool {
    use futures_util::lock::Mutex;
    let sim = Sim::new(seed);
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let rt = sim.handle();
    let tasks: Vec<_> = (0..2)
        .map(|number| {
            let locks = Arc::clone(&locks);
            let first = if bug { number } else { 0 };
            rt.spawn(async move {
                let _first = locks[first].lock().await;
                yield_now().await;
                let _second = locks[1 - first].lock().await;
            })
        })
        .collect();
    let both = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    sim.try_block_on(both).is_ok()
}

/// Three nodes that elect the one of the lowest number; with the bug also without a majority.
fn split_brain(seed: u64, bug: bool) -> bool {
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
                    // Whoever leads has had the time to step down.
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

/// A link that loses some and doubles some.
fn bad(sim: &Sim) {
    let mut link = Link::default();
    link.loss = 0.05;
    link.duplication = 0.05;
    sim.set_link(link);
}

/// A counter behind datagrams. With the bug of losses the client asks once only; with that of duplicates the server
/// counts each request that comes.
fn counter(seed: u64, asks_once: bool, counts_twice: bool) -> bool {
    let sim = Sim::new(seed);
    let count = Arc::new(AtomicUsize::new(0));
    let total = Arc::clone(&count);
    let server = sim.host("server", move || {
        let count = Arc::clone(&count);
        async move {
            let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
            let (mut seen, mut request) = (BTreeSet::new(), [0]);
            loop {
                let (_, from) = socket.recv_from(&mut request).await.unwrap();
                if seen.insert(request) || counts_twice {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                socket.send_to(&request, from).await.unwrap();
            }
        }
    });
    bad(&sim);
    sim.client("client", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
        for request in 0..5 {
            let mut answer = [u8::MAX];
            while answer != [request] {
                socket.send_to(&[request], server.address(1)).await.unwrap();
                if asks_once {
                    while answer != [request] {
                        socket.recv(&mut answer).await.unwrap();
                    }
                }
                let soon = Duration::from_millis(20);
                while answer != [request] {
                    if rt.timeout(soon, socket.recv(&mut answer)).await.is_err() {
                        break;
                    }
                }
            }
        }
    });
    sim.run().is_ok() && total.load(Ordering::SeqCst) == 5
}

/// An upload whose sender may crash in the middle. With the bug the server takes the end for the end of the file.
fn upload(seed: u64, bug: bool) -> bool {
    const LENGTH: usize = 100_000;
    let sim = Sim::new(seed);
    let accepted = Arc::new(Mutex::new(None));
    let stored = Arc::clone(&accepted);
    sim.host("store", move || {
        let stored = Arc::clone(&stored);
        async move {
            let listener = here().bind_tcp("0.0.0.0:1").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut file = Vec::new();
            let ended = stream.read_to_end(&mut file).await.is_ok();
            if ended && (bug || file.len() == LENGTH) {
                *stored.lock().unwrap() = Some(file.len());
            }
            std::future::pending::<()>().await;
        }
    });
    sim.host("sender", || async {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("store:1").await.unwrap();
        for part in [0_u8; LENGTH].chunks(1_000) {
            stream.write_all(part).await.unwrap();
            rt.sleep(Duration::from_micros(100)).await;
        }
        stream.close().await.unwrap();
        std::future::pending::<()>().await;
    });
    sim.client("nemesis", async {
        let rt = here();
        rt.sleep(Duration::from_millis(rt.random() % 40)).await;
        rt.find_node("sender").unwrap().crash();
        rt.sleep(Duration::from_secs(1)).await;
    });
    sim.run().unwrap();
    let accepted = *accepted.lock().unwrap();
    accepted.is_none_or(|length| length == LENGTH)
}

tests! {
    fn a_balance_that_is_read_before_an_await_and_written_after_it() {
        is_found(deposits);
    }

    fn a_lost_wake_up() {
        is_found(lost_wake_up);
    }

    fn two_locks_that_are_taken_in_different_orders() {
        is_found(two_locks);
    }

    fn two_leaders_in_a_partition() {
        is_found(split_brain);
    }

    fn a_request_that_is_not_repeated_when_it_is_lost() {
        is_found(|seed, bug| counter(seed, bug, false));
    }

    fn a_request_that_counts_twice_when_it_is_repeated() {
        is_found(|seed, bug| counter(seed, false, bug));
    }

    fn an_upload_that_is_taken_for_whole_when_its_sender_crashed() {
        is_found(upload);
    }
}
