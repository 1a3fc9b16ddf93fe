//! Models of a shard whose tasks block in place: loom runs the shard, its driver, its seat and the
//! blocking pool in every order in which their threads can meet. Only Glommio's rings, the inbox and
//! the time are imitations.
//!
//! A shard that nobody drives is a deadlock, which loom reports.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use anyrt_core::JoinHandle as _;
use anyrt_core::runtime::Builder;
use anyrt_kit::executor::BlockingPool;
use anyrt_kit::time::pausable::Pausable;
use loom::future::block_on;

use crate::drive;
use crate::shard::{self, AtHome, Shard};
use crate::sync::{Condvar, JoinHandle, Mutex, PoisonError, model};

/// A runtime of one shard.
struct House {
    shard: Arc<Shard>,
    pool: Arc<BlockingPool>,
}

impl House {
    fn new() -> Self {
        let mut builder = Builder::<()>::new_multi_thread();
        builder.worker_threads(1);
        let config = builder.config();
        let shards = Shard::all(config, Duration::from_millis(1), &Pausable::default())
            .expect("descriptors");
        let shard = Arc::clone(&shards[0]);
        let pool = Arc::new(BlockingPool::new(
            config,
            "model",
            Pausable::default(),
            |work| work(),
        ));
        let threads = Arc::clone(&pool);
        shard.set_stand_in(move |shard| {
            drive::start_stand_in(&threads, shard, |drive| drive());
        });
        Self { shard, pool }
    }

    fn start_home(&self) -> JoinHandle<()> {
        let shard = Arc::clone(&self.shard);
        loom::thread::spawn(move || {
            assert!(shard.seat().try_take(), "nobody else is there yet");
            let _at_home = AtHome::enter(&shard);
            block_on(drive::at_home(Arc::clone(&shard)));
        })
    }

    /// As the owner of the runtime ends it.
    fn end(self, home: JoinHandle<()>) {
        self.shard.close();
        block_on(poll_fn(|cx| self.shard.ending().poll_over(cx)));
        self.pool.close();
        home.join().expect("no panic");
        assert!(self.pool.shutdown(None));
    }

    fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        self.shard.spawn(async move { task() }).detach();
    }
}

fn block_in_place(job: impl FnOnce()) {
    let _blocked = shard::block_in_place();
    job();
}

/// Is opened once; others wait for that.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.0.1.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[test]
fn model_a_task_that_blocks_in_place_may_end_before_its_stand_in_starts() {
    model("stand-in, late", 2, || {
        let house = House::new();
        house.spawn(|| block_in_place(|| ()));
        let home = house.start_home();
        house.end(home);
    });
}

#[test]
fn model_a_stand_in_that_blocks_for_a_moment_leaves_the_shard_to_another() {
    model("stand-in, again", 1, || {
        let house = House::new();
        let gate = Gate::default();
        let opened = gate.clone();
        house.spawn(move || block_in_place(|| opened.wait()));
        house.spawn(|| block_in_place(|| ()));
        let opens = gate.clone();
        house.spawn(move || opens.open());
        let home = house.start_home();
        gate.wait();
        house.end(home);
    });
}

#[test]
fn model_a_task_that_has_blocked_in_place_may_be_the_last_to_end() {
    model("stand-in, last", 1, || {
        let house = House::new();
        let gate = Gate::default();
        let opened = gate.clone();
        house.spawn(move || block_in_place(|| opened.wait()));
        let opens = gate.clone();
        house.spawn(move || block_in_place(|| opens.open()));
        let home = house.start_home();
        gate.wait();
        house.end(home);
    });
}
