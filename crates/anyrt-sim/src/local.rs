//! Tasks that are not `Send`: they live in the `block_on` of their thread and are selected like all
//! others.

use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::thread;

use anyrt_core::LocalSpawner;
use anyrt_kit::executor::{TaskHandle, Tasks};

use crate::runtime::SimRuntime;
use crate::task;
use crate::world::World;

thread_local! {
    /// The `block_on` calls that this thread is in, the innermost last.
    static SCOPES: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

struct Open {
    world: Arc<World>,
    seat: usize,
    /// The tasks of each life of a node that has local tasks on this thread.
    tasks: Vec<(SimRuntime, Arc<Tasks>)>,
}

impl LocalSpawner for SimRuntime {
    type LocalJoinHandle<T: 'static> = TaskHandle<T>;

    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let found = SCOPES.with_borrow_mut(|scopes| {
            let open = scopes
                .iter_mut()
                .rev()
                .find(|open| Arc::ptr_eq(&open.world, self.world()))?;
            let known = open.tasks.iter().find(|(rt, _)| rt.is(self));
            let tasks = match known {
                Some((_, tasks)) => Arc::clone(tasks),
                None => {
                    let tasks = self.life().local_tasks();
                    open.tasks.push((self.clone(), Arc::clone(&tasks)));
                    tasks
                }
            };
            Some((tasks, open.seat))
        });
        let Some((tasks, seat)) = found else {
            panic!(
                "`spawn_local` needs a thread that is inside `block_on` of this simulation; use `spawn`, or call \
                 `spawn_local` from the future given to `block_on` or from one of its tasks."
            );
        };
        task::spawn_local_on(self, &tasks, seat, future, Location::caller())
    }
}

/// While it is open, this thread accepts local tasks. Closing it drops the remaining ones.
pub(crate) struct Scope {
    seat: usize,
}

impl Scope {
    pub(crate) fn open(world: &Arc<World>, seat: usize) -> Self {
        let open = Open {
            world: Arc::clone(world),
            seat,
            tasks: Vec::new(),
        };
        SCOPES.with_borrow_mut(|scopes| scopes.push(open));
        Self { seat }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Tasks that destructors spawn meanwhile end at once, but a node's first one would be a new
        // list.
        loop {
            let tasks = SCOPES.with_borrow_mut(|scopes| {
                scopes
                    .last_mut()
                    .map(|open| std::mem::take(&mut open.tasks))
            });
            let tasks = tasks.unwrap_or_default();
            if tasks.is_empty() {
                break;
            }
            for (rt, tasks) in tasks {
                end(&rt, &tasks, self.seat);
            }
        }
        SCOPES.with_borrow_mut(Vec::pop);
    }
}

fn end(rt: &SimRuntime, tasks: &Tasks, seat: usize) {
    tasks.close();
    while !tasks.is_empty() {
        let works = rt.world().scheduler().take_local(rt, seat);
        if works.is_empty() {
            // A task was woken by a thread from outside, which is about to queue it.
            thread::yield_now();
        }
        for work in works {
            let _current = work.rt.enter();
            if let Some(runnable) = work.runnable {
                runnable.run();
            }
        }
    }
}
