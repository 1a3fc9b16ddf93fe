//! The shards on which tasks run and end.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{
    JoinHandle as _, LocalSpawner, Net, Runtime, Spawner, TcpListener as _, Timer, context,
};
use anyrt_glommio::GlommioRuntime;
use anyrt_glommio::runtime::Builder;
use anyrt_kit::queue;
use futures_util::AsyncReadExt;

use crate::start;

crate::tests! {
    an_accept_loop_in_main_uses_all_shards,
    an_accept_loop_in_a_task_uses_all_shards,
    spawning_and_joining_one_by_one_stays_on_the_shard,
    a_task_stays_where_it_was_placed,
    two_tasks_compute_on_two_shards_at_once,
    tasks_are_dropped_at_home_when_the_runtime_ends,
    a_local_task_woken_from_elsewhere_runs_at_home,
    a_flood_of_wakeups_from_other_threads_loses_none,
    glommios_own_futures_work_in_tasks_of_an_idle_and_of_a_busy_shard,
    a_runtime_dropped_on_its_own_shard_ends_in_the_background,
}

/// Accepts `count` connections and keeps each in a task, which reports its shard.
async fn accept_loop(
    rt: GlommioRuntime,
    count: usize,
    bound: queue::Sender<std::net::SocketAddr>,
) -> Vec<usize> {
    let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
    bound.send(listener.local_addr().unwrap()).await.unwrap();
    let (say, mut said) = queue::bounded(count);
    let mut shards = Vec::new();
    for _ in 0..count {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (rt2, say) = (rt.clone(), say.clone());
        let _detached = rt.spawn(async move {
            say.send(rt2.current_shard_index().unwrap()).await.unwrap();
            let _ = stream.read(&mut [0]).await;
        });
        shards.push(said.recv().await.unwrap());
    }
    shards
}

fn connect(count: usize, address: std::net::SocketAddr) -> Vec<std::net::TcpStream> {
    (0..count)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect()
}

fn assert_spread(places: &[usize], shards: usize) {
    for shard in 0..shards {
        let count = places.iter().filter(|place| **place == shard).count();
        let fair = places.len() / shards;
        assert!(count.abs_diff(fair) <= fair / 2, "{places:?}");
    }
}

fn an_accept_loop_in_main_uses_all_shards() {
    for shards in [2, 3] {
        let (runtime, rt) = start(shards);
        let (bound, mut address) = queue::bounded(1);
        let clients = thread::spawn(move || connect(60, block_on_any(address.recv()).unwrap()));
        let places = runtime.block_on(accept_loop(rt, 60, bound));
        assert_spread(&places, shards);
        drop(clients.join().unwrap());
    }
}

fn an_accept_loop_in_a_task_uses_all_shards() {
    for shards in [2, 3] {
        let (runtime, rt) = start(shards);
        let (bound, mut address) = queue::bounded(1);
        let clients = thread::spawn(move || connect(60, block_on_any(address.recv()).unwrap()));
        let places = rt.spawn(accept_loop(rt.clone(), 60, bound));
        assert_spread(&runtime.block_on(places).unwrap(), shards);
        drop(clients.join().unwrap());
    }
}

fn block_on_any<F: Future>(future: F) -> F::Output {
    let tokio: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio.block_on(future)
}

fn spawning_and_joining_one_by_one_stays_on_the_shard() {
    let (runtime, rt) = start(2);
    let rt2 = rt.clone();
    let task = rt.spawn(async move {
        let home = rt2.current_shard_index();
        for _ in 0..100 {
            let rt3 = rt2.clone();
            let child = rt2.spawn(async move { rt3.current_shard_index() });
            assert_eq!(child.await.unwrap(), home);
        }
    });
    runtime.block_on(task).unwrap();
}

fn a_task_stays_where_it_was_placed() {
    let (runtime, rt) = start(2);
    let rt2 = rt.clone();
    let task = rt.spawn_on(1, async move {
        let home = thread::current().id();
        for _ in 0..1000 {
            yield_now().await;
            rt2.sleep(Duration::from_micros(1)).await;
            assert_eq!(thread::current().id(), home);
        }
        assert_eq!(rt2.current_shard_index(), Some(1));
    });
    runtime.block_on(task).unwrap();
    assert_eq!(rt.current_shard_index(), None);
}

fn two_tasks_compute_on_two_shards_at_once() {
    let (runtime, rt) = start(2);
    let meet = Arc::new(Barrier::new(2));
    let rt2 = rt.clone();
    // Each blocks its shard until the other one has started.
    let task = rt.spawn(async move {
        let tasks = [0, 1].map(|_| {
            let meet = Arc::clone(&meet);
            rt2.spawn(async move { meet.wait().is_leader() })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    runtime.block_on(task).unwrap();
}

/// Counts the values that are dropped on the thread that created them.
struct Homing {
    home: ThreadId,
    at_home: Arc<AtomicUsize>,
    // Makes it `!Send`.
    _local: Rc<Cell<u8>>,
}

impl Homing {
    fn new(at_home: &Arc<AtomicUsize>) -> Self {
        Self {
            home: thread::current().id(),
            at_home: Arc::clone(at_home),
            _local: Rc::default(),
        }
    }
}

impl Drop for Homing {
    fn drop(&mut self) {
        if thread::current().id() == self.home && context::driving().is_some() {
            self.at_home.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn tasks_are_dropped_at_home_when_the_runtime_ends() {
    const TASKS: usize = 1000;
    let (runtime, rt) = start(2);
    let at_home = Arc::new(AtomicUsize::new(0));
    let (ready, mut is_ready) = queue::bounded(TASKS);
    let listener = runtime.block_on(rt.bind_tcp("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut peers = Vec::new();
    for n in 0..TASKS {
        let (rt2, at_home, ready) = (rt.clone(), Arc::clone(&at_home), ready.clone());
        let local = move || async move {
            let guard = Homing::new(&at_home);
            ready.send(()).await.unwrap();
            if n % 3 == 0 {
                rt2.sleep(Duration::MAX).await;
            } else if n % 3 == 1 {
                let mut stream = rt2.connect_tcp(address).await.unwrap();
                let _ = stream.read(&mut [0]).await;
            } else {
                pending::<()>().await;
            }
            drop(guard);
        };
        let rt2 = rt.clone();
        let _detached = rt.spawn(async move {
            let _detached = rt2.spawn_local(local());
        });
    }
    runtime.block_on(async {
        for _ in 0..TASKS {
            is_ready.recv().await.unwrap();
        }
        for _ in (0..TASKS).filter(|n| n % 3 == 1) {
            peers.push(listener.accept().await.unwrap());
        }
    });
    drop(runtime);
    assert_eq!(at_home.load(Ordering::SeqCst), TASKS);
}

fn a_local_task_woken_from_elsewhere_runs_at_home() {
    let (runtime, rt) = start(1);
    let (send, mut receive) = queue::bounded(1);
    let rt2 = rt.clone();
    let task = rt.spawn(async move {
        let home = thread::current().id();
        let local = Rc::new(home);
        let task = rt2.spawn_local(async move {
            let mut sum = 0;
            while let Some(n) = receive.recv().await {
                assert_eq!(thread::current().id(), *local);
                sum += n;
            }
            sum
        });
        task.await.unwrap()
    });
    let sender = thread::spawn(move || {
        for n in 0..10_000u64 {
            block_on_any_quickly(send.send(n));
        }
    });
    assert_eq!(runtime.block_on(task).unwrap(), 9_999 * 10_000 / 2);
    sender.join().unwrap();
}

fn block_on_any_quickly<F: Future<Output: std::fmt::Debug>>(future: F) {
    use std::task::{Context, Wake, Waker};
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(&waker);
    while future.as_mut().poll(&mut cx).is_pending() {
        thread::park();
    }
}

/// Threads wake tasks on shards that repeatedly fall asleep, with the shortest slice and a long
/// one.
fn a_flood_of_wakeups_from_other_threads_loses_none() {
    const ROUNDS: u64 = 20_000;
    for slice in [
        Duration::ZERO,
        Duration::from_micros(100),
        Duration::from_secs(1),
    ] {
        let runtime = Builder::new()
            .shards(2)
            .preempt_timer(slice)
            .build()
            .unwrap();
        let rt = runtime.handle();
        let threads: Vec<_> = (0..2)
            .map(|shard| {
                let (to, mut at_task) = queue::bounded(1);
                let (from, mut at_thread) = queue::bounded(1);
                let task = rt.spawn_on(shard, async move {
                    while let Some(n) = at_task.recv().await {
                        from.send(n).await.unwrap();
                    }
                });
                let rt = rt.clone();
                thread::spawn(move || {
                    rt.block_on(async {
                        for n in 0..ROUNDS {
                            to.send(n).await.unwrap();
                            assert_eq!(at_thread.recv().await, Some(n));
                        }
                        drop(to);
                        task.await.unwrap();
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn glommios_own_futures_work_in_tasks_of_an_idle_and_of_a_busy_shard() {
    let (runtime, rt) = start(1);
    for busy in [false, true] {
        let stop = Arc::new(AtomicBool::new(!busy));
        let stopped = Arc::clone(&stop);
        let spinning = rt.spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                yield_now().await;
            }
        });
        let rt2 = rt.clone();
        let sleeping = rt.spawn(async move {
            let local = async {
                for _ in 0..20 {
                    glommio::timer::sleep(Duration::from_millis(1)).await;
                }
            };
            rt2.spawn_local(local).await.unwrap();
        });
        runtime.block_on(async {
            sleeping.await.unwrap();
            stop.store(true, Ordering::SeqCst);
            spinning.await.unwrap();
        });
    }
}

fn a_runtime_dropped_on_its_own_shard_ends_in_the_background() {
    fn drop_inside<R: Runtime>(rt: R, runtime: impl Owner) -> R::JoinHandle<()> {
        rt.spawn(async move { drop(runtime) })
    }
    let (runtime, rt) = start(2);
    let survivor = Arc::new(Mutex::new(()));
    let held = Arc::clone(&survivor);
    let other = rt.spawn_on(1, async move {
        let _held = held;
        pending::<()>().await;
    });
    let dropping = drop_inside(rt.clone(), runtime);
    block_on_any(async {
        let error = dropping.await.unwrap_err();
        assert!(error.is_panic());
        assert!(error.to_string().contains("shutdown_background"), "{error}");
        assert!(other.await.unwrap_err().is_cancelled());
    });
    assert_eq!(Arc::strong_count(&survivor), 1);
    assert!(block_on_any(rt.spawn(async {})).unwrap_err().is_cancelled());
    assert!(rt.spawn(async {}).is_finished());
}
