//! The current runtime: where it is visible, and that it is not afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyrt_core::context::{self, Kind};
use anyrt_core::runtime::Owner;
use anyrt_core::{Blocking, Runtime, Spawner};

use crate::case::cases;
use crate::{Backend, on_thread, panic_on_purpose};

cases! {
    async block_on_sees_the_runtime;
    async tasks_and_their_children_see_the_runtime;
    async local_tasks_see_the_runtime;
    async blocking_jobs_and_their_tasks_see_the_runtime;
    async a_plain_thread_sees_none;
    async destructors_of_aborted_tasks_see_the_runtime;
    fn    a_thread_is_clean_after_block_on;
    fn    a_thread_is_clean_after_a_panic_in_block_on;
    fn    a_blocking_job_drives_nothing;
    fn    enter_makes_the_runtime_current_and_restores;
    fn    enter_restores_after_a_panic;
    fn    enter_of_two_runtimes_nests;
    fn    tasks_spawned_inside_enter_belong_to_the_handle;
    fn    a_thread_inside_enter_may_block_on;
    async block_on_is_driving_and_so_is_a_task;
}

fn name() -> Option<&'static str> {
    context::current().map(Kind::name)
}

async fn block_on_sees_the_runtime<R: Runtime>(_rt: R) {
    assert!(name().is_some());
}

async fn tasks_and_their_children_see_the_runtime<R: Runtime>(rt: R) {
    let here = name();
    let inner = rt.clone();
    let task = rt.spawn(async move {
        let child = inner.spawn(async { name() });
        (name(), child.await.unwrap())
    });
    assert_eq!(task.await.unwrap(), (here, here));
}

async fn local_tasks_see_the_runtime<R: Runtime>(rt: R) {
    let here = name();
    let inner = rt.clone();
    let task = rt.spawn_local(async move {
        let child = inner.spawn(async { name() });
        (name(), child.await.unwrap())
    });
    assert_eq!(task.await.unwrap(), (here, here));
}

async fn blocking_jobs_and_their_tasks_see_the_runtime<R: Runtime>(rt: R) {
    let here = name();
    let inner = rt.clone();
    let job = rt.spawn_blocking(move || {
        let (job, task) = (inner.spawn_blocking(name), inner.spawn(async { name() }));
        (name(), job, task)
    });
    let (seen, job, task) = job.await.unwrap();
    assert_eq!(seen, here);
    assert_eq!(job.await.unwrap(), here);
    assert_eq!(task.await.unwrap(), here);
}

async fn a_plain_thread_sees_none<R: Runtime>(_rt: R) {
    assert_eq!(on_thread(name).await, None);
    assert!(on_thread(|| context::driving().is_none()).await);
}

async fn destructors_of_aborted_tasks_see_the_runtime<R: Runtime>(rt: R) {
    use anyrt_core::JoinHandle;
    struct Looks(std::sync::mpsc::Sender<Option<&'static str>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.0.send(name());
        }
    }
    let (tell, saw) = std::sync::mpsc::channel();
    let looks = Looks(tell);
    let task = rt.spawn(async move {
        let _looks = looks;
        std::future::pending::<()>().await;
    });
    crate::settle(&rt).await;
    assert!(task.cancel().await.unwrap_err().is_cancelled());
    assert_eq!(saw.recv().unwrap(), name());
}

fn assert_clean() {
    assert_eq!(name(), None, "the runtime is still current");
    assert!(context::driving().is_none(), "the thread is still driving");
}

fn a_thread_is_clean_after_block_on<O: Owner>(backend: &Backend<O>) {
    assert_clean();
    let owner = backend.build();
    assert_clean();
    owner.block_on(async {});
    assert_clean();
    drop(owner);
    assert_clean();
}

fn a_thread_is_clean_after_a_panic_in_block_on<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        owner.block_on(async { panic_on_purpose("boom") });
    }));
    assert!(panicked.is_err());
    assert_clean();
}

fn a_blocking_job_drives_nothing<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let inner = std::sync::Arc::new(owner.handle().clone());
    // `block_on` must be allowed there. `nesting.rs` has the case for the same runtime.
    let other = backend.build();
    let job = owner.handle().spawn_blocking(move || {
        let outer = name();
        let seen = other.block_on(async { name() });
        drop((inner, other));
        (outer, seen, name())
    });
    let (outer, seen, after) = owner.block_on(job).unwrap();
    assert!(seen.is_some());
    assert_eq!(outer, after, "block_on restores what was current");
}

fn enter_makes_the_runtime_current_and_restores<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let inside = owner.block_on(async { name() });
    assert_eq!(owner.enter(name), inside);
    assert_clean();
}

fn enter_restores_after_a_panic<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        owner.enter(|| panic_on_purpose("boom"));
    }));
    assert!(panicked.is_err());
    assert_clean();
}

fn enter_of_two_runtimes_nests<O: Owner>(backend: &Backend<O>) {
    let (one, other) = (backend.build(), backend.build());
    let inside = one.enter(|| {
        let inner = other.enter(name);
        assert_eq!(name(), inner, "the outer one is current again");
        inner
    });
    assert!(inside.is_some());
    assert_clean();
}

fn tasks_spawned_inside_enter_belong_to_the_handle<O: Owner>(backend: &Backend<O>) {
    let (one, other) = (backend.build(), backend.build());
    // A handle spawns on its own runtime, whichever runtime is current.
    let task = other.enter(|| one.handle().spawn(async { 7 }));
    drop(other);
    assert_eq!(one.block_on(task).unwrap(), 7);
}

fn a_thread_inside_enter_may_block_on<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    owner.enter(|| {
        assert!(context::driving().is_none(), "to enter is not to drive");
        assert_eq!(owner.block_on(async { 7 }), 7);
        assert!(name().is_some(), "still entered");
    });
    assert_clean();
}

async fn block_on_is_driving_and_so_is_a_task<R: Runtime>(rt: R) {
    assert!(context::driving().is_some());
    let task = rt.spawn(async { context::driving().is_some() });
    assert!(task.await.unwrap());
    let local = rt.spawn_local(async { context::driving().is_some() });
    assert!(local.await.unwrap());
}
