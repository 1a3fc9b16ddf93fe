//! Blocking jobs: as many as needed, none is lost, none blocks the tasks.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use anyrt_core::blocking::Unblock;
use anyrt_core::runtime::Owner;
use anyrt_core::task::{AbortHandle, JoinHandle};
use anyrt_core::{Blocking, Runtime};
use futures_util::future::{FutureExt, join_all};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::case::cases;
use crate::{Backend, DropFlag, Gate, on_thread, panic_on_purpose, park_on, settle};

cases! {
    async a_job_gives_its_value;
    async a_job_runs_on_a_thread_of_its_own;
    async a_panic_in_a_job_is_an_error_and_the_pool_lives;
    async a_job_runs_though_its_handle_is_dropped;
    async a_hundred_jobs_run_at_the_same_time;
    async a_blocked_job_does_not_hold_up_tasks_or_timers;
    async aborting_a_running_job_has_no_effect;
    fn    aborting_a_queued_job_cancels_it;
    fn    more_jobs_than_threads_wait_in_order;
    async a_job_can_start_jobs;
    async a_job_can_spawn_tasks;
    async a_job_that_is_not_a_task_is_joined_on_a_plain_thread;
    async two_thousand_short_jobs_all_run;
    async a_job_may_hold_128_kib;
    async a_job_starts_without_being_awaited;
    async a_jobs_value_is_dropped_if_nobody_takes_it;
    fn    a_job_can_be_started_from_a_plain_thread;
    fn    threads_that_are_idle_longer_than_keep_alive_are_replaced;
    async a_dropped_read_of_a_blocking_reader_loses_nothing;
    async an_error_of_a_blocking_writer_is_reported_by_a_later_call;
    fn    what_a_blocking_writer_has_taken_is_written_though_the_runtime_ends;
}

async fn a_job_gives_its_value<R: Runtime>(rt: R) {
    let text = String::from("there and back");
    let job = rt.spawn_blocking(move || text);
    assert_eq!(job.await.unwrap(), "there and back");
}

async fn a_job_runs_on_a_thread_of_its_own<R: Runtime>(rt: R) {
    let job = rt.spawn_blocking(|| thread::current().id());
    assert_ne!(job.await.unwrap(), thread::current().id());
}

async fn a_panic_in_a_job_is_an_error_and_the_pool_lives<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let job = rt.spawn_blocking(|| panic_on_purpose("boom"));
        let payload = job.await.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
        assert_eq!(rt.spawn_blocking(|| 7).await.unwrap(), 7);
    }
}

async fn a_job_runs_though_its_handle_is_dropped<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let done = Gate::new();
        let tell = done.clone();
        drop(rt.spawn_blocking(move || tell.open()));
        done.wait().await;
    }
}

async fn a_hundred_jobs_run_at_the_same_time<R: Runtime>(rt: R) {
    let all_here = Arc::new(Barrier::new(100));
    let jobs: Vec<_> = (0..100)
        .map(|_| {
            let all_here = Arc::clone(&all_here);
            // Each blocks until all hundred run.
            rt.spawn_blocking(move || {
                all_here.wait();
            })
        })
        .collect();
    for joined in join_all(jobs).await {
        joined.unwrap();
    }
}

async fn a_blocked_job_does_not_hold_up_tasks_or_timers<R: Runtime>(rt: R) {
    let go = Gate::new();
    let jobs: Vec<_> = (0..8)
        .map(|_| {
            let wait = go.clone();
            rt.spawn_blocking(move || wait.wait_blocking())
        })
        .collect();
    settle(&rt).await;
    rt.sleep(Duration::from_millis(2)).await;
    go.open();
    for joined in join_all(jobs).await {
        joined.unwrap();
    }
}

async fn aborting_a_running_job_has_no_effect<R: Runtime>(rt: R) {
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let job = rt.spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
        7
    });
    started.wait().await;
    job.abort();
    assert!(!job.is_finished());
    go.open();
    assert_eq!(job.await.unwrap(), 7);
}

fn aborting_a_queued_job_cancels_it<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build_with(|builder| {
        builder.max_blocking_threads(1);
    });
    let rt = owner.handle();
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let running = rt.spawn_blocking(move || {
        tell.open();
        wait.wait_blocking();
    });
    started.wait_blocking();
    let (flag, dropped) = DropFlag::new();
    let ran = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&ran);
    let queued = rt.spawn_blocking(move || {
        let _flag = flag;
        saw.store(true, Ordering::SeqCst);
    });
    queued.abort_handle().abort();
    go.open();
    owner.block_on(async {
        running.await.unwrap();
        assert!(queued.await.unwrap_err().is_cancelled());
    });
    assert!(dropped.is_dropped() && !ran.load(Ordering::SeqCst));
}

fn more_jobs_than_threads_wait_in_order<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build_with(|builder| {
        builder.max_blocking_threads(2);
    });
    let rt = owner.handle();
    let (go, running, most) = (
        Gate::new(),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let jobs: Vec<_> = (0..20)
        .map(|_| {
            let (wait, running, most) = (go.clone(), Arc::clone(&running), Arc::clone(&most));
            rt.spawn_blocking(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                wait.wait_blocking();
                running.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    while running.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    go.open();
    owner.block_on(async {
        for joined in join_all(jobs).await {
            joined.unwrap();
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

async fn a_job_can_start_jobs<R: Runtime>(rt: R) {
    let inner = rt.clone();
    let outer = rt.spawn_blocking(move || inner.spawn_blocking(|| 7));
    assert_eq!(outer.await.unwrap().await.unwrap(), 7);
    let inner = rt.clone();
    let outer = rt.spawn_blocking(move || park_on(inner.spawn_blocking(|| 7)).unwrap());
    assert_eq!(outer.await.unwrap(), 7);
}

async fn a_job_can_spawn_tasks<R: Runtime>(rt: R) {
    let inner = rt.clone();
    let job = rt.spawn_blocking(move || park_on(inner.spawn(async { 7 })).unwrap());
    assert_eq!(job.await.unwrap(), 7);
}

async fn a_job_that_is_not_a_task_is_joined_on_a_plain_thread<R: Runtime>(rt: R) {
    let job = rt.spawn_blocking(|| 7);
    assert_eq!(on_thread(move || park_on(job).unwrap()).await, 7);
}

async fn two_thousand_short_jobs_all_run<R: Runtime>(rt: R) {
    let jobs: Vec<_> = (0..2_000)
        .map(|number| rt.spawn_blocking(move || number))
        .collect();
    for (number, joined) in join_all(jobs).await.into_iter().enumerate() {
        assert_eq!(joined.unwrap(), number);
    }
}

async fn a_job_may_hold_128_kib<R: Runtime>(rt: R) {
    let buffer = [7_u8; 128 * 1024];
    let job = rt.spawn_blocking(move || buffer.iter().all(|byte| *byte == 7));
    assert!(job.await.unwrap());
}

async fn a_job_starts_without_being_awaited<R: Runtime>(rt: R) {
    let started = Gate::new();
    let tell = started.clone();
    let job = rt.spawn_blocking(move || tell.open());
    started.wait().await;
    job.await.unwrap();
}

async fn a_jobs_value_is_dropped_if_nobody_takes_it<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    drop(rt.spawn_blocking(move || flag));
    dropped.wait().await;
}

fn a_job_can_be_started_from_a_plain_thread<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let job = owner.handle().spawn_blocking(|| 7);
    assert_eq!(park_on(job).unwrap(), 7);
}

fn threads_that_are_idle_longer_than_keep_alive_are_replaced<O: Owner>(backend: &Backend<O>) {
    thread_local! {
        static KEPT: RefCell<Option<DropFlag>> = const { RefCell::new(None) };
    }
    let build = |keep_alive| {
        let owner = backend.build_with(|builder| {
            builder.thread_keep_alive(keep_alive);
        });
        let (flag, ended) = DropFlag::new();
        let job = owner
            .handle()
            .spawn_blocking(move || drop(KEPT.replace(Some(flag))));
        owner.block_on(job).unwrap();
        (owner, ended)
    };
    // Of two threads with the same limit this one would end first.
    let (patient, patient_ended) = build(Duration::from_secs(3_600));
    let (hasty, hasty_ended) = build(Duration::ZERO);
    hasty_ended.wait_blocking();
    assert!(!patient_ended.is_dropped());
    for owner in [hasty, patient] {
        assert_eq!(
            owner.block_on(owner.handle().spawn_blocking(|| 7)).unwrap(),
            7
        );
    }
}

async fn a_dropped_read_of_a_blocking_reader_loses_nothing<R: Runtime>(rt: R) {
    let mut reader = Unblock::new(rt, &b"abc"[..]);
    let mut buf = [0; 64];
    let mut count = reader.read(&mut buf).now_or_never().unwrap_or(Ok(0));
    if matches!(count, Ok(0)) {
        count = reader.read(&mut buf).await;
    }
    assert_eq!(&buf[..count.unwrap()], b"abc");
    assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
}

/// Writes into shared memory, of which there may be none.
struct Memory(Option<Arc<Mutex<Vec<u8>>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(memory) => memory.lock().unwrap().extend_from_slice(bytes),
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn an_error_of_a_blocking_writer_is_reported_by_a_later_call<R: Runtime>(rt: R) {
    let mut writer = Unblock::new(rt, Memory(None));
    writer.write_all(b"abc").await.unwrap();
    let error = writer.flush().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    // Once.
    writer.flush().await.unwrap();
}

fn what_a_blocking_writer_has_taken_is_written_though_the_runtime_ends<O: Owner>(
    backend: &Backend<O>,
) {
    let owner = backend.build();
    let memory = Arc::new(Mutex::new(Vec::new()));
    let mut writer = Unblock::new(owner.handle().clone(), Memory(Some(Arc::clone(&memory))));
    owner.block_on(writer.write_all(b"before")).unwrap();
    drop(owner);
    park_on(writer.write_all(b", after")).unwrap();
    // Waits on a runtime that the application owns, which has not ended, and fails on others.
    let _ = park_on(writer.flush());
    assert_eq!(*memory.lock().unwrap(), b"before, after");
}
