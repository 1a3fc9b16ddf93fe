//! Blocking jobs.
//!
//! In a closed world each job has a real thread, in lock step with all others: it runs when it is
//! selected, and nothing else runs until it ends or waits in its own `block_on`. In an open world
//! jobs run in parallel with the tasks, on the pool that the other backends use.

use std::panic::Location;
use std::sync::{Arc, MutexGuard, PoisonError};

use anyrt_core::{Blocking, coop};
use anyrt_kit::executor::{BlockingPool, TaskHandle};
use anyrt_kit::time::pausable::Pausable;

use crate::runtime::SimRuntime;
use crate::scheduler::{Kind, Scheduler, Work};
use crate::seat::take_seat;
use crate::task;
use crate::trace::Event;
use crate::world::World;

/// The name of the threads.
pub(crate) const NAME: &str = "anyrt-sim";

impl Blocking for SimRuntime {
    #[track_caller]
    fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if self.world().options.open {
            let rt = self.clone();
            return self.world().pool().spawn(move || {
                let _current = rt.enter();
                job()
            });
        }
        // A job may call `block_on`, so the budget of one poll must not apply to it.
        let job = async move { coop::with_unconstrained(job) };
        let tasks = self.world().nodes().jobs();
        task::spawn_on(self, &tasks, Kind::Job, job, Location::caller())
    }
}

impl World {
    /// Returns the threads for blocking jobs of an open world.
    pub(crate) fn pool(self: &Arc<Self>) -> &BlockingPool {
        self.pool.get_or_init(|| {
            let nodes = self.nodes().main();
            let world = Arc::downgrade(self);
            BlockingPool::new(
                &self.options.config,
                NAME,
                Pausable::default(),
                move |work| {
                    let main = world.upgrade().zip(nodes.upgrade());
                    let current = main.map(|(world, node)| SimRuntime::of(&world, &node).enter());
                    work();
                    drop(current);
                },
            )
        })
    }
}

/// Passes the turn to a thread that runs the job. Returns the job if the system cannot start a
/// thread.
pub(crate) fn hand_over(
    world: &Arc<World>,
    scheduler: &mut MutexGuard<'_, Scheduler>,
    work: Work,
) -> Option<Work> {
    scheduler.jobs.running += 1;
    if let Some(seat) = scheduler.jobs.idle.pop() {
        scheduler.hand(seat, work);
        return None;
    }
    let seat = scheduler.sit(false);
    let there = Arc::clone(world);
    let thread = world
        .options
        .config
        .thread(NAME)
        .spawn(move || run_jobs(&there, seat));
    match thread {
        Ok(thread) => {
            scheduler.jobs.threads.push(thread);
            scheduler.hand(seat, work);
            None
        }
        Err(_) => {
            scheduler.jobs.running -= 1;
            scheduler.stand_up(seat);
            Some(work)
        }
    }
}

/// Runs the main loop of a thread for blocking jobs.
fn run_jobs(world: &Arc<World>, seat: usize) {
    let _seated = take_seat(world, seat);
    let mut hooks = None;
    while let Some(work) = next_job(world, seat) {
        let _current = work.rt.enter();
        hooks.get_or_insert_with(|| world.options.config.hooks.enter());
        if let Some(runnable) = work.runnable {
            let _seeing = world.seen_from_inside();
            runnable.run();
        }
        let mut scheduler = world.scheduler();
        // Between a microsecond and fifty: a job goes to another thread and back.
        let cost = scheduler.random.within(1_000..=50_000);
        world.spend(cost);
        scheduler.note(world.nanos(), Event::Job(work.key.task));
        scheduler.job_ended();
        if !scheduler.jobs.closing {
            scheduler.jobs.idle.push(seat);
        }
        scheduler.pass_on();
    }
    drop(hooks);
    world.scheduler().stand_up(seat);
}

fn next_job(world: &Arc<World>, seat: usize) -> Option<Work> {
    let mut scheduler = world.scheduler();
    let bell = scheduler.bell(seat)?;
    loop {
        if let Some(work) = scheduler.take_work(seat) {
            return Some(work);
        }
        if scheduler.jobs.closing {
            return None;
        }
        scheduler = bell.wait(scheduler).unwrap_or_else(PoisonError::into_inner);
    }
}
