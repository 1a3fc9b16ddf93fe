//! The owner of the shards, and its configuration.

use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyrt_core::BuildError;
use anyrt_core::context::{self, Kind};
use anyrt_core::runtime::{Config, Flavor, Owner};
use anyrt_kit::affinity;
use anyrt_kit::executor::{Latch, Running};
use anyrt_kit::time::pausable::Pausable;

use crate::handle::{THREAD_NAME, Whose};
use crate::instant::now;
use crate::shard::{AbortOnPanic, AtHome, Shard};
use crate::sys::{self, RingOptions};
use crate::{caller, drive};

pub use crate::handle::GlommioRuntime;
pub use crate::kind::KIND;

/// Configures and builds a [`Runtime`], with the common options and those of Glommio.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    ring: RingOptions,
    preempt_timer: Duration,
    zero: Option<&'static str>,
}

impl Builder {
    /// Creates a builder for one shard per core.
    pub fn new() -> Self {
        Self::from_config(Config::default())
    }

    /// Creates a builder from common options, with Glommio's own at their defaults.
    pub fn from_config(config: Config) -> Self {
        Self {
            config,
            ring: RingOptions::default(),
            preempt_timer: Duration::from_millis(1),
            zero: None,
        }
    }

    /// Sets the number of shards, like `worker_threads` of the common options; one per core by
    /// default. With 0, `build` fails.
    pub fn shards(&mut self, shards: usize) -> &mut Self {
        self.positive("shards", shards);
        self.config.worker_threads = NonZeroUsize::new(shards);
        self
    }

    /// Sets whether shard `i` is bound to core number `i` of those that the process may use, modulo
    /// their number; `false` by default.
    pub fn pin(&mut self, pin: bool) -> &mut Self {
        self.config.pin_workers = pin;
        self
    }

    /// Sets the number of entries of each of the three rings of a shard; 128 by default. With 0,
    /// `build` fails.
    pub fn ring_depth(&mut self, entries: usize) -> &mut Self {
        self.positive("ring_depth", entries);
        self.ring.depth = entries;
        self
    }

    /// Sets the memory for direct file I/O that each shard registers, in bytes; 64 KiB by default.
    /// Glommio locks about three times as much.
    pub fn io_memory(&mut self, bytes: usize) -> &mut Self {
        self.ring.io_memory = bytes;
        self
    }

    /// Sets how long a busy shard runs before it serves Glommio's own rings (files); 1 ms by
    /// default. Sockets and timers are checked far more often, between tasks.
    pub fn preempt_timer(&mut self, slice: Duration) -> &mut Self {
        self.preempt_timer = slice;
        self
    }

    /// Starts the shards.
    ///
    /// # Errors
    /// See [`is_available`](crate::is_available). Returns [`BuildError::Invalid`] for a zero, and
    /// [`BuildError::Io`] if the system cannot provide a thread or descriptor, or bind a thread to
    /// its core.
    pub fn build(&mut self) -> Result<Runtime, BuildError> {
        Runtime::start(self)
    }

    fn positive(&mut self, option: &'static str, value: usize) {
        if value == 0 {
            self.zero = Some(option);
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

/// The reason why a shard could not be started.
type Failure = Arc<Mutex<Option<BuildError>>>;

/// An owned runtime. Dropping it drops every task first, each on its own shard.
pub struct Runtime {
    handle: GlommioRuntime,
    threads: Vec<JoinHandle<()>>,
    running: Latch,
    done: bool,
}

impl Runtime {
    fn start(builder: &Builder) -> Result<Self, BuildError> {
        let config = &builder.config;
        config.validate()?;
        if let Some(option) = builder.zero {
            return Err(BuildError::Invalid {
                option,
                why: "it must be at least 1",
            });
        }
        sys::is_available()?;
        let clock = Pausable::of(config, KIND.name())?;
        let shards = Shard::all(config, builder.preempt_timer, &clock);
        let (whose, shards) = (Whose::of(config.flavor), shards.map_err(build_error)?);
        let handle = GlommioRuntime::new(config, whose, shards, clock, builder.ring.clone());
        let mut runtime = Self {
            handle,
            threads: Vec::new(),
            running: Latch::default(),
            done: false,
        };
        let started = match config.flavor {
            Flavor::CurrentThread => caller::prepare(&builder.ring),
            Flavor::MultiThread => runtime.start_shards(builder),
        };
        if let Err(error) = started {
            // Shards that did not start have no tasks to wait for.
            runtime.handle.inner.shards[0].ending().finish();
            runtime.end(None);
            return Err(error);
        }
        Ok(runtime)
    }

    fn start_shards(&mut self, builder: &Builder) -> Result<(), BuildError> {
        // All at once, because each takes some time. A channel would be 12 kB in every program.
        let (starting, failure) = (Latch::default(), Failure::default());
        for index in 0..self.handle.shards() {
            let thread = self.start_shard(builder, index, starting.enter(), Arc::clone(&failure));
            self.threads.push(thread.map_err(build_error)?);
        }
        starting.wait(None);
        let failure = failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.map_or(Ok(()), Err)
    }

    fn start_shard(
        &self,
        builder: &Builder,
        index: usize,
        starting: Running,
        failure: Failure,
    ) -> io::Result<JoinHandle<()>> {
        let (pin, ring) = (builder.config.pin_workers, builder.ring.clone());
        let (runtime, hooks) = (self.handle.clone(), builder.config.hooks.clone());
        let running = self.running.enter();
        let work = move || {
            let _running = running;
            // In this order: the thread that Glommio starts for its own blocking calls must not be
            // bound to the core.
            let executor = sys::executor(&ring).and_then(|executor| {
                let pinned = if pin { affinity::bind(index) } else { Ok(()) };
                pinned.map_err(build_error).map(|()| executor)
            });
            let executor = match executor {
                Ok(executor) => executor,
                Err(error) => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    drop(starting);
                    return;
                }
            };
            let shard = Arc::clone(&runtime.inner.shards[index]);
            shard.seat().try_take();
            drop(starting);
            let _aborts = AbortOnPanic::new(shard.id());
            let _current = runtime.make_current(context::drive(&KIND));
            drop(runtime);
            let _thread = hooks.enter();
            let _at_home = AtHome::enter(&shard);
            sys::run(&executor, drive::at_home(Arc::clone(&shard)));
        };
        affinity::start_thread(&builder.config, THREAD_NAME, Box::new(work))
    }

    /// Ends the tasks, then the blocking jobs, and waits for both, no longer than `timeout`.
    fn end(&mut self, timeout: Option<Duration>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        match &*self.handle.inner.shards {
            [shard] if self.handle.inner.is_driven_by_callers() => {
                let _current = self.handle.enter();
                caller::end(shard, deadline);
            }
            shards => {
                shards.iter().for_each(|shard| shard.close());
                caller::wait_for_end(&shards[0], deadline);
                // A task that blocks in place may wait for one job after the other; its shard waits
                // for it.
                self.handle.inner.blocking.close();
            }
        }
        self.running.wait(left(deadline));
        self.handle.inner.blocking.shutdown(left(deadline));
        for thread in self.threads.drain(..) {
            // A shard that is still inside a poll ends by itself when the poll returns.
            if deadline.is_none() || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(now()))
}

fn build_error(source: io::Error) -> BuildError {
    BuildError::Io {
        backend: KIND.name(),
        source,
    }
}

impl Owner for Runtime {
    type Handle = GlommioRuntime;

    const KIND: &'static Kind = &KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        Builder::from_config(config.clone()).build()
    }

    fn handle(&self) -> &GlommioRuntime {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _current = self.handle.enter();
        scope()
    }

    #[track_caller]
    fn shutdown_timeout(mut self, timeout: Duration) {
        context::end_owner(Some(timeout), |timeout| self.end(timeout));
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.done {
            context::end_owner(None, |timeout| self.end(timeout));
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runtime").field(&self.handle).finish()
    }
}
