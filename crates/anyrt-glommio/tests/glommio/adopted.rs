//! A runtime in an executor of the application.

use std::cell::Cell;
use std::future::pending;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::task::yield_now;
use anyrt_core::{Blocking, LocalSpawner, Net, Spawner, TcpListener as _, Timer};
use anyrt_glommio::GlommioRuntime;
use anyrt_kit::queue;
use futures_util::{AsyncReadExt, AsyncWriteExt};
use glommio::LocalExecutor;

use crate::{assert_descriptors_return_to, descriptors};

crate::tests! {
    tasks_and_native_tasks_run_side_by_side,
    sockets_timers_and_blocking_jobs_work_in_tasks_and_in_native_tasks,
    other_threads_spawn_and_wait,
    the_same_executor_is_adopted_once,
    a_busy_task_leaves_native_tasks_their_turn,
    the_end_of_the_thread_drops_tasks_and_tells_those_who_wait,
    the_end_of_the_guard_leaves_no_descriptor,
    a_guard_may_be_dropped_by_a_task_of_its_own,
    the_last_of_several_guards_ends_the_runtime,
    a_guard_does_not_end_what_adopt_has_started,
    the_next_executor_of_a_thread_is_adopted_anew,
    block_on_in_a_native_task_is_refused,
    a_task_that_blocks_in_place_may_wait,
}

fn adopted<T: Send + 'static>(main: impl AsyncFnOnce(GlommioRuntime) -> T + Send + 'static) -> T {
    let thread = thread::spawn(|| {
        LocalExecutor::default().run(async { main(GlommioRuntime::adopt().unwrap()).await })
    });
    thread.join().unwrap()
}

fn tasks_and_native_tasks_run_side_by_side() {
    adopted(async |rt| {
        let (to_ours, mut from_native) = queue::bounded(1);
        let (to_native, mut from_ours) = queue::bounded(1);
        let native = glommio::spawn_local(async move {
            for number in 0..1000 {
                to_ours.send(number).await.unwrap();
                assert_eq!(from_ours.recv().await, Some(number));
            }
        });
        let ours = rt.spawn(async move {
            while let Some(number) = from_native.recv().await {
                if to_native.send(number).await.is_err() {
                    break;
                }
            }
        });
        let rc = Rc::new(Cell::new(0));
        let local = rt.spawn_local({
            let rc = Rc::clone(&rc);
            async move { rc.set(7) }
        });
        native.await;
        ours.await.unwrap();
        local.await.unwrap();
        assert_eq!(rc.get(), 7);
        let panicked = rt.spawn(async { panic!("on purpose") }).await;
        assert!(panicked.unwrap_err().is_panic());
    });
}

/// Answers one connection with the result of a blocking job.
async fn serve(rt: GlommioRuntime, bound: mpsc::Sender<std::net::SocketAddr>) {
    let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
    bound.send(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    rt.sleep(Duration::from_millis(1)).await;
    let answer = rt.spawn_blocking(move || byte[0] + 1).await.unwrap();
    stream.write_all(&[answer]).await.unwrap();
}

fn ask(address: std::net::SocketAddr) {
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(&[7]).unwrap();
    let mut byte = [0];
    client.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [8]);
}

fn sockets_timers_and_blocking_jobs_work_in_tasks_and_in_native_tasks() {
    for native in [false, true] {
        let (bound, address) = mpsc::channel();
        let client = thread::spawn(move || ask(address.recv().unwrap()));
        adopted(async move |rt| {
            assert!(
                GlommioRuntime::try_current().is_some(),
                "current in native tasks"
            );
            match native {
                true => serve(rt, bound).await,
                false => rt.spawn(serve(rt.clone(), bound)).await.unwrap(),
            }
        });
        client.join().unwrap();
    }
}

fn other_threads_spawn_and_wait() {
    let (give, handle) = mpsc::channel::<GlommioRuntime>();
    let (stop, mut stopped) = queue::bounded::<()>(1);
    let thread = thread::spawn(move || {
        LocalExecutor::default().run(async move {
            let rt = GlommioRuntime::adopt().unwrap();
            give.send(rt.clone()).unwrap();
            // In a task of anyrt, whose wakers may be used on every thread.
            let stopped = rt.spawn(async move { stopped.recv().await });
            let done = Rc::new(Cell::new(false));
            let tell = Rc::clone(&done);
            drop(rt.spawn_local(async move {
                let _ = stopped.await;
                tell.set(true);
            }));
            while !done.get() {
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
        });
    });
    let rt = handle.recv().unwrap();
    let home = thread.thread().id();
    for number in 0..100 {
        let rt2 = rt.clone();
        let task = rt.spawn(async move {
            rt2.sleep(Duration::from_micros(50)).await;
            (number, thread::current().id())
        });
        assert_eq!(rt.block_on(task).unwrap(), (number, home));
    }
    rt.block_on(stop.send(())).unwrap();
    thread.join().unwrap();
}

fn the_same_executor_is_adopted_once() {
    use anyrt_core::runtime::Metrics;
    adopted(async |rt| {
        let again = GlommioRuntime::adopt().unwrap();
        assert_eq!(again.id(), rt.id());
        let inside = rt.spawn(async { GlommioRuntime::adopt().unwrap().id() });
        assert_eq!(inside.await.unwrap(), rt.id());
    });
}

fn a_busy_task_leaves_native_tasks_their_turn() {
    adopted(async |rt| {
        let task = rt.spawn(async {
            loop {
                yield_now().await;
            }
        });
        for _ in 0..20 {
            glommio::timer::sleep(Duration::from_micros(100)).await;
        }
        anyrt_core::JoinHandle::abort(&task);
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

struct Told(Arc<AtomicBool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn the_end_of_the_thread_drops_tasks_and_tells_those_who_wait() {
    let before = descriptors();
    let dropped = Arc::new(AtomicBool::new(false));
    let told = Told(Arc::clone(&dropped));
    let (rt, address, listener) = adopted(async move |rt| {
        drop(rt.spawn(async move {
            let _told = told;
            pending::<()>().await;
        }));
        yield_now().await;
        let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
        (rt, listener.local_addr().unwrap(), listener)
    });
    assert!(dropped.load(Ordering::SeqCst));
    let late = rt.spawn(async {});
    assert!(rt.block_on(late).unwrap_err().is_cancelled());
    assert!(crate::is_gone(
        &rt.block_on(rt.connect_tcp(address)).unwrap_err()
    ));
    assert!(crate::is_gone(&rt.block_on(listener.accept()).unwrap_err()));
    drop((rt, listener));
    assert_descriptors_return_to(before);
}

fn the_end_of_the_guard_leaves_no_descriptor() {
    let executor = LocalExecutor::default();
    executor.run(async {
        let before = descriptors();
        for _ in 0..50 {
            let adopted = GlommioRuntime::adopt_scoped().unwrap();
            let rt = adopted.handle().clone();
            let task = rt.spawn({
                let rt = rt.clone();
                async move { rt.sleep(Duration::from_micros(10)).await }
            });
            task.await.unwrap();
            let waits = rt.spawn(pending::<()>());
            drop(adopted);
            assert!(waits.await.unwrap_err().is_cancelled());
            assert!(GlommioRuntime::try_current().is_none());
        }
        assert_descriptors_return_to(before);
    });
}

fn a_guard_may_be_dropped_by_a_task_of_its_own() {
    LocalExecutor::default().run(async {
        let adopted = GlommioRuntime::adopt_scoped().unwrap();
        let rt = adopted.handle().clone();
        let other = rt.spawn(pending::<()>());
        let task = rt.spawn_local(async move {
            drop(adopted);
            7
        });
        assert_eq!(task.await.unwrap(), 7);
        assert!(other.await.unwrap_err().is_cancelled());
    });
}

fn the_last_of_several_guards_ends_the_runtime() {
    LocalExecutor::default().run(async {
        let outer = GlommioRuntime::adopt_scoped().unwrap();
        let rt = outer.handle().clone();
        // Such as a library that adopts for itself.
        drop(GlommioRuntime::adopt_scoped().unwrap());
        assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
        let inner = rt.spawn(async { GlommioRuntime::adopt_scoped().map(drop) });
        inner.await.unwrap().unwrap();
        assert!(GlommioRuntime::try_current().is_some());
        let later = GlommioRuntime::adopt_scoped().unwrap();
        drop(outer);
        assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
        drop(later);
        assert!(GlommioRuntime::try_current().is_none());
        assert!(rt.spawn(async {}).await.unwrap_err().is_cancelled());
    });
}

fn a_guard_does_not_end_what_adopt_has_started() {
    for adopts_first in [true, false] {
        // The adoption ends with this thread.
        let thread = thread::spawn(move || {
            LocalExecutor::default().run(async {
                let (rt, guard) = if adopts_first {
                    let rt = GlommioRuntime::adopt().unwrap();
                    (rt, GlommioRuntime::adopt_scoped().unwrap())
                } else {
                    let guard = GlommioRuntime::adopt_scoped().unwrap();
                    (GlommioRuntime::adopt().unwrap(), guard)
                };
                drop(guard);
                assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
            });
        });
        thread.join().unwrap();
    }
}

fn the_next_executor_of_a_thread_is_adopted_anew() {
    use anyrt_core::runtime::Metrics;
    let ids: Vec<_> = (0..3)
        .map(|_| {
            LocalExecutor::default().run(async {
                let rt = GlommioRuntime::adopt().unwrap();
                rt.spawn(async {}).await.unwrap();
                rt.id()
            })
        })
        .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

fn block_on_in_a_native_task_is_refused() {
    adopted(async |rt| {
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rt.block_on(async {});
        }));
        let message = refused.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("from within"), "{message}");
        rt.spawn(async {}).await.unwrap();
    });
}

fn a_task_that_blocks_in_place_may_wait() {
    adopted(async |rt| {
        let rt2 = rt.clone();
        let task = rt.spawn(async move {
            rt2.block_in_place(|| {
                rt2.block_on(async {
                    rt2.sleep(Duration::from_millis(1)).await;
                    rt2.spawn(async { 7 }).await.unwrap()
                })
            })
        });
        assert_eq!(task.await.unwrap(), 7);
    });
}
