//! The report of a deadlock says what each task waits for, and where.

use std::backtrace::Backtrace;
use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use anyrt::runtime::Handle;
use anyrt::sim::{FailureKind, Sim};
use anyrt::sync::{
    Barrier, CancellationToken, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch,
};
use anyrt::task::{JoinSet, spawn_blocking};

/// Runs a future that never ends in a simulation. Returns the report.
fn report(future: impl Future) -> String {
    let sim = Sim::new(1);
    let never = async {
        future.await;
        pending::<()>().await;
    };
    let failure = sim.try_block_on(never).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    failure.message().to_owned()
}

/// Whether the report is expected to name lines: a build without debug information has none.
fn has_lines() -> bool {
    Backtrace::force_capture()
        .to_string()
        .contains("tests/sim/deadlock.rs")
}

/// A task that waits: the line in which it does, and the future.
macro_rules! waits {
    ($($code:tt)*) => {
        (line!(), async move { $($code)* })
    };
}

/// Checks that a report has the operation: by its name, or by its file where the debug information
/// has no more.
#[track_caller]
fn check((line, future): (u32, impl Future), operation: &str, file: &str) {
    let text = report(future);
    let named = text.contains(operation) || has_lines() && text.contains(file);
    assert!(named, "{operation} is not in {text}");
    let place = format!("tests/sim/deadlock.rs:{line}:");
    assert!(
        !has_lines() || text.contains(&place),
        "{place} is not in {text}"
    );
}

#[test]
fn each_operation_of_sync_is_named_with_its_place() {
    check(
        waits! { let lock = Mutex::new(0); let _held = lock.lock().await; drop(lock.lock().await) },
        "Mutex<T>::lock",
        "sync/mutex.rs",
    );
    check(
        waits! { let lock = RwLock::new(0); let _held = lock.write().await; drop(lock.read().await) },
        "RwLock<T>::read",
        "sync/rwlock.rs",
    );
    check(
        waits! { let lock = RwLock::new(0); let _held = lock.read().await; drop(lock.write().await) },
        "RwLock<T>::write",
        "sync/rwlock.rs",
    );
    check(
        waits! { let none = Semaphore::new(0); drop(none.acquire().await) },
        "Semaphore::acquire",
        "sync/semaphore.rs",
    );
    check(
        waits! { let (_sender, mut inbox) = mpsc::channel::<()>(1); inbox.recv().await },
        "bounded::Receiver<T>::recv",
        "sync/mpsc/bounded.rs",
    );
    check(
        waits! { let (_sender, mut inbox) = mpsc::unbounded_channel::<()>(); inbox.recv().await },
        "UnboundedReceiver<T>::recv",
        "sync/mpsc/unbounded.rs",
    );
    check(
        waits! { let (sender, _inbox) = mpsc::channel(1); for _ in 0..2 { sender.send(()).await.unwrap() } },
        "Sender<T>::send",
        "sync/mpsc/bounded.rs",
    );
    check(
        waits! { let (_sender, answer) = oneshot::channel::<()>(); answer.await },
        "oneshot::Receiver<T>",
        "sync/oneshot.rs",
    );
    check(
        waits! { let (_sender, mut seen) = watch::channel(1); seen.changed().await },
        "watch::Receiver<T>::changed",
        "sync/watch.rs",
    );
    check(
        waits! { let (_sender, mut news) = broadcast::channel::<()>(1); news.recv().await },
        "broadcast::Receiver<T>::recv",
        "sync/broadcast.rs",
    );
    check(
        waits! { Notify::new().notified().await },
        "Notified",
        "sync/notify.rs",
    );
    check(
        waits! { Barrier::new(2).wait().await },
        "Barrier::wait",
        "sync/barrier.rs",
    );
    check(
        waits! { CancellationToken::new().cancelled().await },
        "anyrt_core::cancel::Cancelled",
        "src/cancel.rs",
    );
    check(
        waits! { let mut set = JoinSet::new(); set.spawn(pending::<()>()); set.join_next().await },
        "waits for the end of task 2 or of another task of its set",
        "join_set.rs",
    );
    check(
        waits! { let stop = Notify::new(); anyrt::select! { () = pending() => {} () = stop.notified() => {} } },
        "Notified",
        "sync/notify.rs",
    );
}

#[test]
fn a_joined_task_is_named_by_its_number() {
    let text = report(async {
        let task = anyrt::spawn(pending::<()>());
        task.await
    });
    let waits =
        text.contains("block_on 1 of node main") && text.contains("waits for the end of task 2");
    assert!(waits && text.contains("\n  task 2 of node main"), "{text}");

    let job = async { spawn_blocking(|| Handle::current().block_on(pending::<()>())).await };
    let text = report(job);
    assert!(
        text.contains("waits for the end of blocking job 2"),
        "{text}"
    );
    assert!(text.contains("waits in a `block_on` of its own"), "{text}");

    let text = report(async {
        let first = anyrt::spawn(pending::<()>());
        let second = anyrt::spawn(pending::<()>());
        anyrt::join!(first, second)
    });
    assert!(
        text.contains("the end of task 2 or the end of task 3"),
        "{text}"
    );
}

#[test]
fn a_task_is_named_by_the_place_where_it_was_spawned() {
    let job = || Handle::current().block_on(pending::<()>());
    let start = line!();
    let text = report(async {
        drop(anyrt::spawn(pending::<()>()));
        drop(spawn_blocking(job));
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        set.join_next().await
    });
    for line in [start + 2, start + 3, start + 5] {
        let place = format!("started at {}:{line}:", file!());
        assert!(text.contains(&place), "{place} is not in {text}");
    }
}

#[test]
fn the_places_lead_from_the_await_to_the_task() {
    async fn inner(stop: &Notify) {
        stop.notified().await;
    }
    async fn outer(stop: &Notify) {
        inner(stop).await;
    }
    let text = report(async { anyrt::spawn(async { outer(&Notify::new()).await }).await });
    if has_lines() {
        let task = text.split_once("  task 2").unwrap().1;
        let places: Vec<_> = task.lines().skip(1).take(3).collect();
        let end = line!() - 4;
        let place = |line| format!("      at tests/sim/deadlock.rs:{line}:");
        let expected = [end - 5, end - 2, end].map(place);
        let is_place = |(place, expected): (&&str, &String)| place.starts_with(expected);
        assert!(
            places.iter().zip(&expected).all(is_place) && places.len() == 3,
            "{text}"
        );
    } else {
        assert!(
            text.contains("::outer") && text.contains("::inner"),
            "{text}"
        );
    }
}

/// Is ready when the flag is set; its author has forgotten that the flag must wake it.
async fn flag(set: Arc<AtomicBool>) {
    let mut wakers = Vec::new();
    poll_fn(move |cx| {
        wakers.push(cx.waker().clone());
        match set.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

#[test]
fn a_lost_wake_up_is_called_one() {
    const LOST: &str = "goes on when it is polled again: a wake-up was lost";
    let set = Arc::new(AtomicBool::new(false));
    let sets = Arc::clone(&set);
    let text = report(async {
        let task = anyrt::spawn(flag(set));
        anyrt::spawn(async move {
            anyrt::time::sleep(Duration::from_millis(1)).await;
            sets.store(true, Ordering::SeqCst);
        });
        task.await
    });
    let task = text
        .lines()
        .find(|line| line.starts_with("  task 2"))
        .unwrap();
    assert!(task.ends_with(LOST), "{text}");
    assert_eq!(text.matches(LOST).count(), 1, "{text}");

    // The task does not end but sends something.
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let set = Arc::new(AtomicBool::new(false));
    let sets = Arc::clone(&set);
    let text = report(async {
        anyrt::spawn(async move {
            flag(set).await;
            sender.send(7).unwrap();
            pending::<()>().await;
        });
        anyrt::time::sleep(Duration::from_millis(1)).await;
        sets.store(true, Ordering::SeqCst);
        inbox.recv().await
    });
    assert_eq!(text.matches(LOST).count(), 1, "{text}");
}

#[test]
fn a_waker_that_nothing_keeps_is_called_so() {
    const NOTHING: &str = "waits for something that keeps no waker, so nothing can wake it";
    let text = report(async { anyrt::spawn(pending::<()>()).await });
    let task = text
        .lines()
        .find(|line| line.starts_with("  task 2"))
        .unwrap();
    assert!(task.ends_with(NOTHING), "{text}");
    let text = report(async { Notify::new().notified().await });
    assert!(!text.contains(NOTHING), "{text}");
}

#[test]
fn what_a_task_does_in_the_report_does_not_replace_the_failure() {
    let sim = Sim::new(1);
    sim.client("client", async move {
        let set = Arc::new(AtomicBool::new(false));
        let sets = Arc::clone(&set);
        anyrt::spawn(async move {
            anyrt::time::sleep(Duration::from_millis(1)).await;
            sets.store(true, Ordering::SeqCst);
        });
        flag(set).await;
        panic!("it was never to come here");
    });
    let failure = sim.run().unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert!(
        failure.message().contains("a wake-up was lost"),
        "{failure}"
    );
    assert_eq!(failure.step(), sim.step_count());
}

#[test]
fn the_time_limit_names_the_tasks_as_well() {
    let limit = Some(Duration::from_secs(60));
    let sim = Sim::builder().seed(1).time_limit(limit).build().unwrap();
    sim.host("server", || async {
        let mut ticks = anyrt::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
    });
    sim.client("client", async { Notify::new().notified().await });
    let failure = sim.run().unwrap_err();
    assert_eq!(failure.kind(), FailureKind::TimeLimit);
    let text = failure.message();
    assert!(text.contains("the time limit of 60s has passed"), "{text}");
    assert!(
        (text.contains("Notified") || text.contains("sync/notify.rs"))
            && !text.contains("for ever"),
        "{text}"
    );
}
