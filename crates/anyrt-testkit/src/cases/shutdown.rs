//! The end of a runtime leaves no task, thread or waiter behind.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::task::{JoinHandle, yield_now};
use anyrt_core::{Blocking, Runtime, Spawner, Timer};

use crate::case::cases;
use crate::{Backend, Bomb, DropFlag, Dropped, Gate, Live, LiveToken, panic_message, park_on};

cases! {
    fn dropping_the_owner_drops_waiting_tasks;
    fn dropping_the_owner_drops_sleeping_tasks;
    fn dropping_the_owner_drops_tasks_that_were_never_polled;
    fn dropping_the_owner_drops_tasks_that_only_yield;
    fn dropping_the_owner_drops_a_thousand_tasks;
    fn dropping_the_owner_drops_tasks_that_join_each_other;
    fn dropping_the_owner_drops_tasks_whose_destructors_spawn;
    fn dropping_the_owner_drops_tasks_whose_destructors_wake_others;
    fn dropping_the_owner_drops_the_values_nobody_took;
    fn a_destructor_that_panics_at_the_end_loses_no_other;
    fn dropping_the_owner_waits_for_a_running_blocking_job;
    fn dropping_the_owner_waits_for_a_task_that_is_inside_a_poll;
    fn a_blocking_job_that_no_other_holds_up_runs_although_the_runtime_ends;
    fn dropping_the_owner_waits_for_a_blocking_job_behind_a_busy_thread;
    fn a_queued_blocking_job_runs_although_shutdown_timeout_gave_up_waiting;
    fn dropping_the_owner_waits_for_the_thread_locals_of_blocking_threads;
    fn shutdown_timeout_does_not_wait_for_a_long_job;
    fn shutdown_timeout_waits_for_a_job_that_ends_in_time;
    fn shutdown_timeout_of_duration_max_waits;
    fn shutdown_timeout_drops_the_tasks;
    fn shutdown_background_is_allowed_inside_a_runtime;
    fn shutdown_background_does_not_wait_for_a_job;
    fn shutdown_background_drops_the_tasks_sooner_or_later;
    fn dropping_the_owner_inside_a_runtime_panics_and_names_shutdown_background;
    fn dropping_the_owner_inside_its_own_task_panics_and_names_shutdown_background;
    fn shutdown_timeout_inside_a_runtime_panics_and_ends_it_in_the_background;
    fn dropping_the_owner_inside_spawn_blocking_of_another_runtime_works;
    fn fifty_runtimes_leave_no_thread;
    fn an_idle_runtime_ends;
}

/// Spawns `count` tasks that hold a token each, and waits until all are pending in `then`.
pub(super) fn start<O: Owner, F>(
    owner: &O,
    count: usize,
    then: impl Fn(O::Handle) -> F,
) -> (Live, Vec<<O::Handle as Spawner>::JoinHandle<()>>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let live = Live::new();
    let rt = owner.handle();
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (token, started, then) = (live.token(), Gate::new(), then(rt.clone()));
            let tell = started.clone();
            let task = rt.spawn(async move {
                let _token = token;
                tell.open();
                then.await;
            });
            (started, task)
        })
        .collect();
    let tasks = owner.block_on(async {
        let mut handles = Vec::new();
        for (started, task) in tasks {
            started.wait().await;
            handles.push(task);
        }
        handles
    });
    assert_eq!(live.count(), count);
    (live, tasks)
}

fn dropping_the_owner_drops_waiting_tasks<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, _tasks) = start(&owner, 10, |_| std::future::pending());
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_sleeping_tasks<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, _tasks) = start(&owner, 10, |rt| async move {
        rt.sleep(Duration::from_secs(3_600)).await;
    });
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_tasks_that_were_never_polled<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let live = Live::new();
    for _ in 0..100 {
        let token = live.token();
        drop(owner.handle().spawn(async move {
            let _token = token;
            std::future::pending::<()>().await;
        }));
    }
    // On a current-thread runtime none has been polled.
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_tasks_that_only_yield<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, _tasks) = start(&owner, 10, |_| async {
        loop {
            yield_now().await;
        }
    });
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_a_thousand_tasks<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, tasks) = start(&owner, 1_000, |rt| async move {
        rt.sleep(Duration::from_secs(3_600)).await;
    });
    drop(tasks);
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_tasks_that_join_each_other<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let live = Live::new();
    let rt = owner.handle();
    let token = live.token();
    let mut last = rt.spawn(async move {
        let _token = token;
        std::future::pending::<()>().await;
    });
    for _ in 0..100 {
        let token = live.token();
        last = rt.spawn(async move {
            let _token = token;
            // At the end of the runtime the join reports that the other task was cancelled.
            drop(last.await);
        });
    }
    owner.block_on(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    drop(owner);
    assert_eq!(live.count(), 0);
    // If the joined task was dropped first, another worker may have let this one finish. In both
    // cases the join returns.
    drop(park_on(last));
}

/// Spawns another task when it is dropped.
struct SpawnsAgain<R: Runtime> {
    rt: R,
    live: Live,
    left: usize,
    _token: LiveToken,
}

impl<R: Runtime> Drop for SpawnsAgain<R> {
    fn drop(&mut self) {
        if self.left > 0 {
            let next = Self {
                rt: self.rt.clone(),
                live: self.live.clone(),
                left: self.left - 1,
                _token: self.live.token(),
            };
            drop(self.rt.spawn(async move {
                let _next = next;
                std::future::pending::<()>().await;
            }));
        }
    }
}

fn dropping_the_owner_drops_tasks_whose_destructors_spawn<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let live = Live::new();
    for _ in 0..10 {
        let again = SpawnsAgain {
            rt: owner.handle().clone(),
            live: live.clone(),
            left: 5,
            _token: live.token(),
        };
        drop(owner.handle().spawn(async move {
            let _again = again;
            std::future::pending::<()>().await;
        }));
    }
    owner.block_on(yield_now());
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_tasks_whose_destructors_wake_others<O: Owner>(backend: &Backend<O>) {
    struct Opens(Vec<Gate>);
    impl Drop for Opens {
        fn drop(&mut self) {
            self.0.iter().for_each(Gate::open);
        }
    }
    let owner = backend.build();
    let gates: Vec<_> = (0..50).map(|_| Gate::new()).collect();
    let next = AtomicUsize::new(0);
    let (live, _tasks) = start(&owner, 50, |_| {
        // Waits for its own gate and opens all others when it is dropped.
        let wait = gates[next.fetch_add(1, Ordering::Relaxed)].wait();
        let opens = Opens(gates.clone());
        async move {
            let _opens = opens;
            wait.await;
        }
    });
    drop(owner);
    assert_eq!(live.count(), 0);
}

fn dropping_the_owner_drops_the_values_nobody_took<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (flag, dropped) = DropFlag::new();
    let task = owner.handle().spawn(async { flag });
    owner.block_on(async {
        while !task.is_finished() {
            yield_now().await;
        }
    });
    drop(owner);
    drop(task);
    assert!(dropped.is_dropped());
}

fn a_destructor_that_panics_at_the_end_loses_no_other<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, tasks) = start(&owner, 20, |_| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    drop(owner);
    assert_eq!(live.count(), 0);
    for task in tasks {
        assert!(park_on(task).is_err());
    }
}

fn dropping_the_owner_waits_for_a_running_blocking_job<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (started, go) = (Gate::new(), Gate::new());
    let done = Arc::new(AtomicBool::new(false));
    let (tell, wait, end) = (started.clone(), go.clone(), Arc::clone(&done));
    drop(owner.handle().spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
        // Work that is left when the owner is dropped.
        for _ in 0..100 {
            thread::yield_now();
        }
        end.store(true, Ordering::SeqCst);
    }));
    started.wait_blocking();
    let opener = thread::spawn(move || go.open());
    drop(owner);
    assert!(done.load(Ordering::SeqCst), "dropped before the job ended");
    opener.join().unwrap();
}

fn dropping_the_owner_waits_for_a_task_that_is_inside_a_poll<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build();
    let (started, go) = (Gate::new(), Gate::new());
    let (flag, dropped) = DropFlag::new();
    let (tell, wait) = (started.clone(), go.clone());
    drop(owner.handle().spawn(async move {
        let _flag = flag;
        tell.open();
        wait.wait_blocking();
        std::future::pending::<()>().await;
    }));
    started.wait_blocking();
    let opener = thread::spawn(move || go.open());
    drop(owner);
    assert!(dropped.is_dropped());
    opener.join().unwrap();
}

fn a_blocking_job_that_no_other_holds_up_runs_although_the_runtime_ends<O: Owner>(
    backend: &Backend<O>,
) {
    // The runtime may end before or after the thread for the job has started.
    for _ in 0..20 {
        let owner = backend.build();
        let job = owner.handle().spawn_blocking(|| 7);
        drop(owner);
        assert_eq!(park_on(job).unwrap(), 7);
    }
}

/// A runtime with one blocking thread, which is busy until the gate opens, and a job that is queued
/// behind it.
#[expect(clippy::type_complexity, reason = "what a case needs to look at")]
fn queued_job<O: Owner>(
    backend: &Backend<O>,
) -> (
    O,
    Gate,
    [<O::Handle as Spawner>::JoinHandle<()>; 2],
    Dropped,
    Arc<AtomicBool>,
) {
    let owner = backend.build_with(|builder| {
        builder.max_blocking_threads(1);
    });
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let running = owner.handle().spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
    });
    started.wait_blocking();
    let (flag, dropped) = DropFlag::new();
    let ran = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&ran);
    let queued = owner.handle().spawn_blocking(move || {
        let _flag = flag;
        saw.store(true, Ordering::SeqCst);
    });
    (owner, go, [running, queued], dropped, ran)
}

fn dropping_the_owner_waits_for_a_blocking_job_behind_a_busy_thread<O: Owner>(
    backend: &Backend<O>,
) {
    let (owner, go, [running, queued], dropped, ran) = queued_job(backend);
    let opener = thread::spawn(move || go.open());
    drop(owner);
    assert!(running.is_finished() && queued.is_finished());
    assert!(dropped.is_dropped() && ran.load(Ordering::SeqCst));
    opener.join().unwrap();
}

fn a_queued_blocking_job_runs_although_shutdown_timeout_gave_up_waiting<O: Owner>(
    backend: &Backend<O>,
) {
    let (owner, go, [running, queued], _, ran) = queued_job(backend);
    owner.shutdown_timeout(Duration::from_millis(1));
    go.open();
    park_on(running).unwrap();
    park_on(queued).unwrap();
    assert!(ran.load(Ordering::SeqCst));
}

fn dropping_the_owner_waits_for_the_thread_locals_of_blocking_threads<O: Owner>(
    backend: &Backend<O>,
) {
    thread_local! {
        static KEPT: RefCell<Option<LiveToken>> = const { RefCell::new(None) };
    }
    for _ in 0..20 {
        let owner = backend.build();
        let live = Live::new();
        let token = live.token();
        let job = owner
            .handle()
            .spawn_blocking(move || drop(KEPT.replace(Some(token))));
        owner.block_on(job).unwrap();
        drop(owner);
        assert_eq!(live.count(), 0);
    }
}

fn shutdown_timeout_does_not_wait_for_a_long_job<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let job = owner.handle().spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
    });
    started.wait_blocking();
    owner.shutdown_timeout(Duration::from_millis(10));
    // It returned while the job was still blocked. Release the job now.
    go.open();
    park_on(job).unwrap();
}

fn shutdown_timeout_waits_for_a_job_that_ends_in_time<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (job, go, done) = long_job(&owner);
    let opener = thread::spawn(move || go.open());
    owner.shutdown_timeout(Duration::from_secs(3_600));
    assert!(done.load(Ordering::SeqCst), "returned before the job ended");
    opener.join().unwrap();
    park_on(job).unwrap();
}

fn shutdown_timeout_of_duration_max_waits<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (job, go, done) = long_job(&owner);
    let opener = thread::spawn(move || go.open());
    owner.shutdown_timeout(Duration::MAX);
    assert!(done.load(Ordering::SeqCst), "returned before the job ended");
    opener.join().unwrap();
    park_on(job).unwrap();
}

/// A blocking job that runs until the gate opens.
fn long_job<O: Owner>(
    owner: &O,
) -> (
    <O::Handle as Spawner>::JoinHandle<()>,
    Gate,
    Arc<AtomicBool>,
) {
    let (started, go) = (Gate::new(), Gate::new());
    let done = Arc::new(AtomicBool::new(false));
    let (tell, wait, end) = (started.clone(), go.clone(), Arc::clone(&done));
    let job = owner.handle().spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
        for _ in 0..100 {
            thread::yield_now();
        }
        end.store(true, Ordering::SeqCst);
    });
    started.wait_blocking();
    (job, go, done)
}

fn shutdown_timeout_drops_the_tasks<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (live, _tasks) = start(&owner, 100, |_| std::future::pending());
    owner.shutdown_timeout(Duration::from_secs(3_600));
    assert_eq!(live.count(), 0);
}

fn shutdown_background_is_allowed_inside_a_runtime<O: Owner>(backend: &Backend<O>) {
    let (outer, inner) = (backend.build(), backend.build());
    let task = inner.handle().spawn(std::future::pending::<()>());
    outer.block_on(async move {
        inner.shutdown_background();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

fn shutdown_background_does_not_wait_for_a_job<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (job, go, _) = long_job(&owner);
    owner.shutdown_background();
    go.open();
    park_on(job).unwrap();
}

fn shutdown_background_drops_the_tasks_sooner_or_later<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (flag, dropped) = DropFlag::new();
    let started = Gate::new();
    let tell = started.clone();
    let task = owner.handle().spawn(async move {
        let _flag = flag;
        tell.open();
        std::future::pending::<()>().await;
    });
    owner.block_on(started.wait());
    owner.shutdown_background();
    dropped.wait_blocking();
    assert!(park_on(task).unwrap_err().is_cancelled());
}

fn dropping_the_owner_inside_a_runtime_panics_and_names_shutdown_background<O: Owner>(
    backend: &Backend<O>,
) {
    let (outer, inner) = (backend.build(), backend.build());
    let message = outer.block_on(async move { panic_message(|| drop(inner)) });
    assert!(message.contains("shutdown_background"), "{message}");
    assert_eq!(outer.block_on(async { 7 }), 7, "the outer one lives on");
}

fn shutdown_timeout_inside_a_runtime_panics_and_ends_it_in_the_background<O: Owner>(
    backend: &Backend<O>,
) {
    let (outer, inner) = (backend.build(), backend.build());
    let rt = inner.handle().clone();
    let message = outer.block_on(async move {
        panic_message(|| inner.shutdown_timeout(Duration::from_millis(1)))
    });
    assert!(message.contains("Cannot drop a runtime"), "{message}");
    assert!(park_on(rt.spawn(async {})).unwrap_err().is_cancelled());
    assert_eq!(outer.block_on(async { 7 }), 7, "the outer one lives on");
}

fn dropping_the_owner_inside_its_own_task_panics_and_names_shutdown_background<O: Owner>(
    backend: &Backend<O>,
) {
    // Outside `block_on` only worker threads run tasks.
    backend.needs_workers(2);
    let owner = backend.build();
    let rt = owner.handle().clone();
    let (told, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (told.clone(), go.clone());
    let message = Arc::new(std::sync::Mutex::new(String::new()));
    let text = Arc::clone(&message);
    drop(rt.spawn(async move {
        wait.wait().await;
        *text.lock().unwrap() = panic_message(|| drop(owner));
        tell.open();
    }));
    go.open();
    told.wait_blocking();
    let message = message.lock().unwrap();
    assert!(message.contains("shutdown_background"), "{message}");
}

fn dropping_the_owner_inside_spawn_blocking_of_another_runtime_works<O: Owner>(
    backend: &Backend<O>,
) {
    let (outer, inner) = (backend.build(), backend.build());
    let (live, _tasks) = start(&inner, 10, |_| std::future::pending());
    let job = outer.handle().spawn_blocking(move || drop(inner));
    outer.block_on(job).unwrap();
    assert_eq!(live.count(), 0);
}

fn fifty_runtimes_leave_no_thread<O: Owner>(backend: &Backend<O>) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Other cases run at the same time, so only threads with this name count. Linux keeps 15 bytes
    // of it.
    let name = format!("fifty-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    for _ in 0..50 {
        let owner = backend.build_with(|builder| {
            builder.thread_name(name.as_str());
        });
        let rt = owner.handle().clone();
        let job = rt.spawn_blocking(|| thread::current().name().map(str::to_owned));
        assert_eq!(owner.block_on(job).unwrap().as_ref(), Some(&name));
        assert_eq!(owner.block_on(rt.spawn(async { 7 })).unwrap(), 7);
    }
    // A thread that was joined may still be listed for a moment.
    while threads_named(&name) > 0 {
        thread::yield_now();
    }
}

/// Returns the number of threads of this process with that name, or zero where the system does not
/// report it.
fn threads_named(name: &str) -> usize {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

fn an_idle_runtime_ends<O: Owner>(backend: &Backend<O>) {
    for _ in 0..20 {
        drop(backend.build());
    }
}
