//! Bugs in how tasks share state, wake each other and are cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use anyrt_core::net::TcpListener as _;
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{FailureKind, Sim};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::here;

/// Two deposits at once; with the bug the balance is read before an await and written after it.
pub(super) fn deposits(seed: u64, bug: bool) -> bool {
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
pub(super) fn lost_wake_up(seed: u64, bug: bool) -> bool {
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
pub(super) fn two_locks(seed: u64, bug: bool) -> bool {
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

/// Two banks that send each other money; with the bug a lock is held while the other bank is asked.
pub(super) fn lock_across_an_await(seed: u64, bug: bool) -> bool {
    use futures_util::lock::Mutex;
    let sim = Sim::new(seed);
    let done = Arc::new(AtomicUsize::new(0));
    for number in 0..2 {
        let done = Arc::clone(&done);
        sim.host(&format!("bank-{number}"), move || {
            let done = Arc::clone(&done);
            async move {
                let rt = here();
                let balance = Arc::new(Mutex::new(100));
                let listener = rt.bind_tcp("0.0.0.0:1").await.unwrap();
                let credited = Arc::clone(&balance);
                drop(rt.spawn(async move {
                    loop {
                        let (mut stream, _) = listener.accept().await.unwrap();
                        let balance = Arc::clone(&credited);
                        drop(here().spawn(async move {
                            *balance.lock().await += 1;
                            let _ = stream.write_all(&[1]).await;
                        }));
                    }
                }));
                for _ in 0..3 {
                    rt.sleep(Duration::from_micros(1_000 + rt.random() % 10_000))
                        .await;
                    let mut held = balance.lock().await;
                    *held -= 1;
                    let held = bug.then_some(held);
                    let peer = format!("bank-{}:1", 1 - number);
                    let mut stream = rt.connect_tcp(peer).await.unwrap();
                    stream.read_exact(&mut [0]).await.unwrap();
                    drop(held);
                }
                done.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
        });
    }
    sim.client("observer", async {
        here().sleep(Duration::from_secs(5)).await
    });
    sim.run().unwrap();
    done.load(Ordering::SeqCst) == 2
}

/// Numbers that come in two halves, with something else to do every two milliseconds; with the bug the future is dropped
/// for it that holds the first half.
pub(super) fn cancelled_read(seed: u64, bug: bool) -> bool {
    const COUNT: u32 = 10;
    let sim = Sim::new(seed);
    sim.host("sender", || async {
        let rt = here();
        let listener = rt.bind_tcp("0.0.0.0:1").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        for number in 0..COUNT {
            let [first, second] = [0, 2].map(|at| number.to_be_bytes()[at..at + 2].to_vec());
            stream.write_all(&first).await.unwrap();
            rt.sleep(Duration::from_micros(rt.random() % 1_000)).await;
            stream.write_all(&second).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let got = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&got);
    sim.client("receiver", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("sender:1").await.unwrap();
        let (mut number, mut filled) = ([0; 4], 0);
        for _tick in 0..50 {
            let tick = rt.now() + Duration::from_millis(2);
            loop {
                // Reading what there is loses nothing when it is dropped, and `number` outlives it.
                let read = async {
                    match bug {
                        true => stream.read_exact(&mut number).await.map(|()| 4),
                        false => stream.read(&mut number[filled..]).await,
                    }
                };
                let Ok(read) = rt.timeout_at(tick, read).await else {
                    break;
                };
                filled += read.unwrap();
                if filled == 4 {
                    filled = 0;
                    received.lock().unwrap().push(u32::from_be_bytes(number));
                }
            }
        }
    });
    sim.run().unwrap();
    let got = got.lock().unwrap();
    *got == (0..COUNT).collect::<Vec<_>>()
}
