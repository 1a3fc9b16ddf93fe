//! Tasks: those of the core, each with a number by which the scheduler chooses it.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::{JoinHandle as _, Spawner};
use anyrt_kit::executor::{TaskHandle, Tasks};
use pin_project_lite::pin_project;

use crate::explain;
use crate::runtime::SimRuntime;
use crate::scheduler::{Key, Kind};
use crate::seat::{note_operations, seat};
use crate::world::World;

impl Spawner for SimRuntime {
    type JoinHandle<T: Send + 'static> = TaskHandle<T>;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let tasks = self.life().tasks();
        spawn_on(self, tasks, Kind::Task, future, Location::caller())
    }
}

/// Creates a task of `future` that any thread with the turn may run.
pub(crate) fn spawn_on<F>(
    rt: &SimRuntime,
    tasks: &Arc<Tasks>,
    kind: Kind,
    future: F,
    location: &'static Location<'static>,
) -> TaskHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let entry = Entry::new(rt, kind, None, location);
    let (world, key) = (Arc::clone(rt.world()), entry.key);
    let handle = tasks.spawn(Tracked { future, entry }, move |runnable| {
        world.wake_entity(key, Some(runnable));
    });
    rt.world().scheduler().identify(key, handle.id());
    handle
}

/// Creates a task of `future` that stays at this thread's seat.
pub(crate) fn spawn_local_on<F>(
    rt: &SimRuntime,
    tasks: &Arc<Tasks>,
    seat: usize,
    future: F,
    location: &'static Location<'static>,
) -> TaskHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let entry = Entry::new(rt, Kind::Local, Some(seat), location);
    let (world, key) = (Arc::clone(rt.world()), entry.key);
    let handle = tasks.spawn_local(Tracked { future, entry }, move |runnable| {
        world.wake_entity(key, Some(runnable));
    });
    rt.world().scheduler().identify(key, handle.id());
    handle
}

/// The scheduler's entry of a task; dropping it removes the entry.
struct Entry {
    world: Arc<World>,
    key: Key,
    running: Running,
}

/// The task that is being polled, for errors that name it.
#[derive(Clone, Copy)]
struct Running {
    kind: Kind,
    started_at: &'static Location<'static>,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// Names the task that is being polled on this thread, by the place where it was spawned.
pub(crate) fn current() -> Option<String> {
    let running = RUNNING.try_with(Cell::get).ok().flatten()?;
    Some(format!(
        "{} started at {}",
        running.kind.name(),
        running.started_at
    ))
}

/// Marks the task as being polled until it is dropped.
struct Polling(Option<Running>);

impl Polling {
    fn begin(running: Running) -> Self {
        Self(
            RUNNING
                .try_with(|cell| cell.replace(Some(running)))
                .ok()
                .flatten(),
        )
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|cell| cell.set(self.0));
    }
}

impl Entry {
    fn new(
        rt: &SimRuntime,
        kind: Kind,
        home: Option<usize>,
        location: &'static Location<'static>,
    ) -> Self {
        let world = Arc::clone(rt.world());
        let nanos = world.nanos();
        let key = world
            .scheduler()
            .add(nanos, rt.clone(), kind, home, location);
        let running = Running {
            kind,
            started_at: location,
        };
        Self {
            world,
            key,
            running,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let entity = self.world.scheduler().remove(self.key);
        drop(entity);
    }
}

pin_project! {
    /// A future that removes its task's entry when it ends.
    struct Tracked<F> {
        #[pin]
        future: F,
        entry: Entry,
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _polling = Polling::begin(this.entry.running);
        if explain::is_watching() {
            return explain::poll_watched(this.future);
        }
        let polled = this.future.poll(cx);
        note_operations();
        polled
    }
}

/// Runs the ready tasks of a life of a node that has ended immediately, so that their futures are
/// dropped before anything else happens.
pub(crate) fn end_life(rt: &SimRuntime) {
    rt.life().close();
    let seat = seat(rt.world());
    loop {
        let works = rt.world().scheduler().take_life(rt, seat);
        if works.is_empty() {
            return;
        }
        for work in works {
            let _current = work.rt.enter();
            let _seeing = rt.world().seen_from_inside();
            if let Some(runnable) = work.runnable {
                runnable.run();
            }
        }
    }
}
