//! Fairness: a task that is always ready starves no other task. `fairness_io.rs` has the cases for
//! sockets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyrt_core::channel::{Receiver, Sender, UnboundedSender};
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Net, Runtime, Spawner, Timer};
use futures_util::future::BoxFuture;
use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::peer::{peer_listen, rounds};
use crate::case::cases;
use crate::{Backend, Gate, on_thread, park_on};

cases! {
    async tasks_busy_on_channels_do_not_starve_timers;
    async tasks_busy_on_yields_do_not_starve_timers;
    async tasks_busy_on_joins_do_not_starve_timers;
    async tasks_busy_on_unbounded_channels_do_not_starve_timers;
    async tasks_busy_on_sleeps_of_zero_do_not_starve_timers;
    async tasks_busy_on_channels_do_not_starve_other_tasks;
    async tasks_busy_on_yields_do_not_starve_other_tasks;
    async tasks_busy_on_joins_do_not_starve_other_tasks;
    async tasks_busy_on_channels_hear_of_wakes_from_a_plain_thread;
    async tasks_busy_on_yields_hear_of_wakes_from_a_plain_thread;
    async a_busy_block_on_does_not_starve_tasks;
    async a_busy_block_on_does_not_starve_local_tasks;
    async a_busy_local_task_does_not_starve_tasks_and_timers;
    async a_busy_task_can_be_aborted;
    async two_busy_tasks_that_wake_each_other_starve_nobody;
    async spawning_without_end_does_not_starve_timers;
    fn    a_worker_that_blocks_stops_no_timer_while_others_are_idle;
    fn    a_worker_that_blocks_stops_no_socket_while_others_are_idle;
}

/// More than the number of workers, so that each of them is busy.
const HOGS: usize = 4;

/// Tasks that are always ready until this value is dropped.
struct Hogs {
    stop: Arc<AtomicBool>,
}

impl Hogs {
    fn start<R: Runtime, S>(rt: &R, step: impl Fn(R) -> S + Send + Sync + 'static) -> Self
    where
        S: FnMut() -> BoxFuture<'static, ()> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..HOGS {
            let (stop, mut step) = (Arc::clone(&stop), step(rt.clone()));
            drop(rt.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    step().await;
                }
            }));
        }
        Self { stop }
    }

    /// Busy on a channel that always has room, or a value.
    fn on_channels<R: Runtime>(rt: &R) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..HOGS {
            let stop = Arc::clone(&stop);
            let (sender, mut receiver) = rt.bounded(1);
            drop(rt.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    sender.send(()).await.unwrap();
                    receiver.recv().await.unwrap();
                }
            }));
        }
        Self { stop }
    }

    fn on_yields<R: Runtime>(rt: &R) -> Self {
        Self::start(rt, |_| || yield_now().boxed())
    }

    fn on_joins<R: Runtime>(rt: &R) -> Self {
        Self::start(rt, |rt| {
            // The runtime may end while they are busy.
            move || rt.spawn(async {}).map(drop).boxed()
        })
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn timers_go_on<R: Runtime>(rt: &R) {
    let timer = rt.clone();
    let task = rt.spawn(async move {
        for _ in 0..rounds(5) {
            timer.sleep(Duration::from_millis(2)).await;
        }
    });
    for _ in 0..rounds(5) {
        rt.sleep(Duration::from_millis(2)).await;
    }
    task.await.unwrap();
}

async fn tasks_go_on<R: Runtime>(rt: &R) {
    for _ in 0..20 {
        let inner = rt.clone();
        let task = rt.spawn(async move {
            yield_now().await;
            inner.spawn(yield_now()).await.unwrap();
        });
        task.await.unwrap();
    }
}

async fn wakes_arrive<R: Runtime>(rt: &R) {
    for _ in 0..10 {
        let gate = Gate::new();
        let task = rt.spawn(gate.wait());
        on_thread(move || gate.open()).await;
        task.await.unwrap();
    }
}

async fn tasks_busy_on_channels_do_not_starve_timers<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_channels(&rt);
    timers_go_on(&rt).await;
}

async fn tasks_busy_on_yields_do_not_starve_timers<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_yields(&rt);
    timers_go_on(&rt).await;
}

async fn tasks_busy_on_joins_do_not_starve_timers<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_joins(&rt);
    timers_go_on(&rt).await;
}

async fn tasks_busy_on_unbounded_channels_do_not_starve_timers<R: Runtime>(rt: R) {
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..HOGS {
        let stop = Arc::clone(&stop);
        let (sender, mut receiver) = rt.unbounded();
        drop(rt.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                sender.send(()).unwrap();
                receiver.recv().await.unwrap();
            }
        }));
    }
    let _hogs = Hogs { stop };
    timers_go_on(&rt).await;
}

async fn tasks_busy_on_sleeps_of_zero_do_not_starve_timers<R: Runtime>(rt: R) {
    let _hogs = Hogs::start(&rt, |rt| move || rt.sleep(Duration::ZERO).boxed());
    timers_go_on(&rt).await;
}

async fn tasks_busy_on_channels_do_not_starve_other_tasks<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_channels(&rt);
    tasks_go_on(&rt).await;
}

async fn tasks_busy_on_yields_do_not_starve_other_tasks<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_yields(&rt);
    tasks_go_on(&rt).await;
}

async fn tasks_busy_on_joins_do_not_starve_other_tasks<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_joins(&rt);
    tasks_go_on(&rt).await;
}

async fn tasks_busy_on_channels_hear_of_wakes_from_a_plain_thread<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_channels(&rt);
    wakes_arrive(&rt).await;
}

async fn tasks_busy_on_yields_hear_of_wakes_from_a_plain_thread<R: Runtime>(rt: R) {
    let _hogs = Hogs::on_yields(&rt);
    wakes_arrive(&rt).await;
}

async fn a_busy_block_on_does_not_starve_tasks<R: Runtime>(rt: R) {
    let done = Gate::new();
    let (timer, tell) = (rt.clone(), done.clone());
    drop(rt.spawn(async move {
        timer.sleep(Duration::from_millis(5)).await;
        tell.open();
    }));
    let (sender, mut receiver) = rt.bounded(1);
    while !done.is_open() {
        sender.send(()).await.unwrap();
        receiver.recv().await.unwrap();
    }
}

async fn a_busy_block_on_does_not_starve_local_tasks<R: Runtime>(rt: R) {
    let done = Gate::new();
    let (timer, tell) = (rt.clone(), done.clone());
    drop(rt.spawn_local(async move {
        timer.sleep(Duration::from_millis(5)).await;
        tell.open();
    }));
    let (sender, mut receiver) = rt.bounded(1);
    while !done.is_open() {
        sender.send(()).await.unwrap();
        receiver.recv().await.unwrap();
    }
}

async fn a_busy_local_task_does_not_starve_tasks_and_timers<R: Runtime>(rt: R) {
    let stop = Arc::new(AtomicBool::new(false));
    let hogs = Hogs {
        stop: Arc::clone(&stop),
    };
    let (sender, mut receiver) = rt.bounded(1);
    let busy = rt.spawn_local(async move {
        while !stop.load(Ordering::Relaxed) {
            sender.send(()).await.unwrap();
            receiver.recv().await.unwrap();
        }
    });
    timers_go_on(&rt).await;
    tasks_go_on(&rt).await;
    drop(hogs);
    busy.await.unwrap();
}

async fn a_busy_task_can_be_aborted<R: Runtime>(rt: R) {
    use anyrt_core::JoinHandle;
    let (sender, mut receiver) = rt.bounded(1);
    let started = Gate::new();
    let tell = started.clone();
    let busy = rt.spawn(async move {
        tell.open();
        loop {
            sender.send(()).await.unwrap();
            receiver.recv().await.unwrap();
        }
    });
    started.wait().await;
    let joined: Result<(), _> = busy.cancel().await;
    assert!(joined.unwrap_err().is_cancelled());
}

async fn two_busy_tasks_that_wake_each_other_starve_nobody<R: Runtime>(rt: R) {
    // They alternate in the scheduler's next-task slot.
    let (there, mut from_here) = rt.bounded(1);
    let (back, mut from_there) = rt.bounded(1);
    let stop = Arc::new(AtomicBool::new(false));
    let hogs = Hogs {
        stop: Arc::clone(&stop),
    };
    let echo = rt.spawn(async move {
        while let Some(()) = from_here.recv().await {
            if back.send(()).await.is_err() {
                return;
            }
        }
    });
    let player = rt.spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            there.send(()).await.unwrap();
            from_there.recv().await.unwrap();
        }
    });
    timers_go_on(&rt).await;
    tasks_go_on(&rt).await;
    drop(hogs);
    player.await.unwrap();
    echo.await.unwrap();
}

async fn spawning_without_end_does_not_starve_timers<R: Runtime>(rt: R) {
    fn again<R: Runtime>(rt: R, stop: Arc<AtomicBool>) -> BoxFuture<'static, ()> {
        async move {
            // If spawn polled, the stack would overflow and end all other cases.
            yield_now().await;
            if !stop.load(Ordering::Relaxed) {
                drop(rt.spawn(again(rt.clone(), stop)));
            }
        }
        .boxed()
    }
    let stop = Arc::new(AtomicBool::new(false));
    let _hogs = Hogs {
        stop: Arc::clone(&stop),
    };
    for _ in 0..HOGS {
        drop(rt.spawn(again(rt.clone(), Arc::clone(&stop))));
    }
    timers_go_on(&rt).await;
}

/// Spawns a task that blocks its worker, which it must not, until it is released.
fn blocks<R: Runtime>(rt: &R) -> (R::JoinHandle<()>, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let blocks = Gate::new();
    let tell = blocks.clone();
    let task = rt.spawn(async move {
        tell.open();
        let _ = held.lock().unwrap().recv();
    });
    blocks.wait_blocking();
    (task, release)
}

/// Such a task occupies one worker, but must not stop the reactor, even if it is taken by the
/// worker that waits in the reactor. Another worker must then be woken to wait there.
fn goes_on_beside_what_blocks<O: Owner>(owner: &O, mut go_on: impl FnMut()) {
    const ROUNDS: usize = 10;
    for round in 0..ROUNDS {
        go_on();
        // The round decides whether the worker of the last event is already waiting again.
        for _ in 0..round * 10 {
            thread::yield_now();
        }
        let (task, release) = blocks(owner.handle());
        go_on();
        go_on();
        release.send(()).unwrap();
        // A backend that keeps tasks on one worker counts unfinished tasks when it places the next
        // one.
        owner.block_on(task).unwrap();
    }
}

fn a_worker_that_blocks_stops_no_timer_while_others_are_idle<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build_with(|builder| _ = builder.worker_threads(4));
    let (ticked, tick) = mpsc::channel();
    // Two, because one may share the fate of the worker: Tokio keeps the task that was woken last
    // in a slot that no other worker takes from, and can start what blocks before it.
    let tickers = [ticked.clone(), ticked].map(|ticked| {
        let timer = owner.handle().clone();
        owner.handle().spawn(async move {
            loop {
                timer.sleep(Duration::from_millis(5)).await;
                if ticked.send(()).is_err() {
                    return;
                }
            }
        })
    });
    goes_on_beside_what_blocks(&owner, || {
        while tick.try_recv().is_ok() {}
        tick.recv().unwrap();
    });
    drop(tick);
    for ticker in tickers {
        owner.block_on(ticker).unwrap();
    }
}

fn a_worker_that_blocks_stops_no_socket_while_others_are_idle<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build_with(|builder| _ = builder.worker_threads(4));
    let net = owner.handle().clone();
    let (listener, address) = peer_listen();
    let echo = owner.handle().spawn(async move {
        let mut stream = net.connect_tcp(address).await.unwrap();
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(&byte).await.unwrap();
        }
    });
    let (mut peer, _) = park_on(listener.accept());
    goes_on_beside_what_blocks(&owner, || {
        park_on(async {
            peer.write_all(&[7]).await.unwrap();
            peer.read_exact(&mut [0]).await.unwrap();
        });
    });
    drop(peer);
    owner.block_on(echo).unwrap();
}
