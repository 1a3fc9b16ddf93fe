//! A runtime inside an executor of the application.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyrt_core::context::{self, Entered, SlotGuard};
use anyrt_core::runtime::Config;

use anyrt_kit::time::pausable::Pausable;

use crate::drive;
use crate::handle::{GlommioRuntime, Whose};
use crate::kind::KIND;
use crate::shard::{self, AbortOnPanic, AtHome, Shard};
use crate::sys::{self, RingOptions};

/// The longest time that the driver runs before it yields to the application's own tasks.
const SLICE: Duration = Duration::from_micros(200);

thread_local! {
    /// Dropped with its thread, at the latest: then the shard ends.
    static ADOPTION: RefCell<Option<Adoption>> = const { RefCell::new(None) };
}

/// A shard in an executor of the application, on the executor's thread.
struct Adoption {
    /// The id of the executor. A thread may have several, one after the other.
    executor: usize,
    runtime: GlommioRuntime,
    at_home: Option<AtHome>,
    /// The driver. Glommio drops no sleeping task when its executor ends, so the executor only has
    /// a task that polls the driver in this field. `None` during such a poll, and after the shard
    /// has ended.
    driver: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// The live guards of `adopt_scoped`.
    guards: usize,
    /// Whether `adopt` was called, so that no guard ends it.
    stays: bool,
}

impl Adoption {
    /// Calls `f` with the adoption of this thread, if it is that of `runtime`.
    fn with<T>(runtime: &GlommioRuntime, f: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let found = ADOPTION.try_with(|adoption| {
            let mut adoption = adoption.borrow_mut();
            let is_same = |a: &&mut Self| Arc::ptr_eq(&a.runtime.inner, &runtime.inner);
            adoption.as_mut().filter(is_same).map(f)
        });
        found.ok().flatten()
    }
}

impl GlommioRuntime {
    /// Runs anyrt inside the Glommio executor in which this is called.
    ///
    /// The driver becomes one task of the executor, next to the application's own. From now on the
    /// runtime is current on this thread, in native tasks as well, and its handle may be sent to
    /// other threads. A second call in the same executor returns the same runtime, and so does a
    /// call in an executor that anyrt started.
    ///
    /// The application owns the threads and the shutdown: the runtime's tasks run while the
    /// executor runs, and are dropped with its thread. To end them earlier, or to run several
    /// executors one after the other on a thread, use [`adopt_scoped`](Self::adopt_scoped).
    /// Blocking jobs are not waited for.
    ///
    /// Leave `preempt_timer` of the executor at its default. With a short one Glommio may park with
    /// runnable tasks; with 1 ms it stalls after seconds, with or without anyrt.
    ///
    /// Native tasks that await something which another thread completes (a blocking job, a channel)
    /// use Glommio's own cross-thread wakers. Prefer tasks of [`spawn`](anyrt_core::Spawner::spawn)
    /// and `spawn_local` for this, which do not.
    ///
    /// # Errors
    /// Fails if the system provides no descriptors for the epoll, the doorbell and the alarm.
    ///
    /// # Panics
    /// Panics outside of a Glommio executor.
    ///
    /// # Examples
    /// ```
    /// use anyrt_core::{Blocking, Spawner};
    /// use anyrt_glommio::GlommioRuntime;
    /// # if anyrt_glommio::is_available().is_err() { return; }
    ///
    /// glommio::LocalExecutor::default().run(async {
    ///     let rt = GlommioRuntime::adopt().unwrap();
    ///     let native = glommio::spawn_local(async { 3 });
    ///     let ours = rt.spawn(async { 4 });
    ///     assert_eq!(native.await + ours.await.unwrap(), 7);
    /// });
    /// ```
    pub fn adopt() -> io::Result<Self> {
        let runtime = Self::find_or_start()?;
        Adoption::with(&runtime, |adoption| adoption.stays = true);
        Ok(runtime)
    }

    fn find_or_start() -> io::Result<Self> {
        // These thread-locals are initialized before `ADOPTION`, so they outlive it at the end of
        // the thread, where its destructor needs them.
        let (current, id) = (Self::try_current(), shard::current_id());
        let is_shard = shard::with_current(|shard| shard.id() == id) == Some(true);
        if sys::is_running()
            && is_shard
            && let Some(runtime) = current
        {
            return Ok(runtime);
        }
        let executor = glommio::executor().id();
        let present = ADOPTION.with_borrow(|adoption| {
            let same = adoption.as_ref().filter(|a| a.executor == executor);
            same.map(|adoption| adoption.runtime.clone())
        });
        if let Some(runtime) = present {
            return Ok(runtime);
        }
        // Ends the adoption of a former executor.
        end();
        start(executor)
    }

    /// Like [`adopt`](Self::adopt), until the guard is dropped. Then all tasks of the runtime are
    /// dropped, waiting sockets and timers end, and no descriptor is left.
    ///
    /// Of several guards in one executor, the last one ends the runtime. None does if
    /// [`adopt`](Self::adopt) was called there as well.
    ///
    /// Intended for applications that end an executor before its thread. Drop the guard inside the
    /// executor, or after it has run.
    ///
    /// # Errors
    /// See [`adopt`](Self::adopt).
    ///
    /// # Panics
    /// See [`adopt`](Self::adopt).
    pub fn adopt_scoped() -> io::Result<Adopted> {
        let runtime = Self::find_or_start()?;
        Adoption::with(&runtime, |adoption| adoption.guards += 1);
        Ok(Adopted {
            runtime,
            thread: PhantomData,
        })
    }
}

/// Ends an adopted runtime on drop; see [`GlommioRuntime::adopt_scoped`].
#[must_use = "the runtime ends when the guard is dropped"]
pub struct Adopted {
    runtime: GlommioRuntime,
    // Tied to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl Adopted {
    /// Returns the handle to the runtime.
    pub fn handle(&self) -> &GlommioRuntime {
        &self.runtime
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        let ends = Adoption::with(&self.runtime, |adoption| {
            adoption.guards -= 1;
            let is_last = adoption.guards == 0 && !adoption.stays;
            is_last.then(|| adoption.driver.is_none())
        });
        match ends.flatten() {
            None => {}
            // One of its own tasks drops the guard: the driver ends after that task.
            Some(true) => self.runtime.inner.shards[0].close(),
            Some(false) => end(),
        }
    }
}

impl fmt::Debug for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adopted").field(&self.runtime).finish()
    }
}

fn start(executor: usize) -> io::Result<GlommioRuntime> {
    let mut config = Config::default();
    config.worker_threads = Some(NonZeroUsize::MIN);
    let shards = Shard::all(&config, SLICE, &Pausable::default())?;
    let shard = Arc::clone(&shards[0]);
    let ring = RingOptions::default();
    let runtime = GlommioRuntime::new(&config, Whose::Adopted, shards, Pausable::default(), ring);
    shard.seat().try_take();
    let at_home = AtHome::enter(&shard);
    GlommioRuntime::set_adopted(Some(runtime.clone()));
    let driver = {
        let runtime = runtime.clone();
        let shard = Arc::clone(&shard);
        drive::as_guest(shard, move || runtime.enter_in_poll())
    };
    ADOPTION.set(Some(Adoption {
        executor,
        runtime: runtime.clone(),
        at_home: Some(at_home),
        driver: Some(Box::pin(driver)),
        guards: 0,
        stays: false,
    }));
    // Glommio may never drop this future, so it must not own anything.
    let id = shard.id();
    let poll = poll_fn(move |cx| {
        let _aborts = AbortOnPanic::new(id);
        poll_driver(executor, cx)
    });
    glommio::spawn_local(poll).detach();
    Ok(runtime)
}

fn poll_driver(executor: usize, cx: &mut Context<'_>) -> Poll<()> {
    // Taken out, since its tasks may call `adopt` or drop the guard.
    let driver = ADOPTION.with_borrow_mut(|adoption| {
        let own = adoption.as_mut().filter(|a| a.executor == executor)?;
        own.driver.take()
    });
    let Some(mut driver) = driver else {
        return Poll::Ready(());
    };
    if driver.as_mut().poll(cx).is_ready() {
        end();
        return Poll::Ready(());
    }
    ADOPTION.with_borrow_mut(|adoption| {
        if let Some(own) = adoption.as_mut().filter(|a| a.executor == executor) {
            own.driver = Some(driver);
        }
    });
    Poll::Pending
}

/// Ends the adoption on this thread, if any.
fn end() {
    let adoption = ADOPTION.try_with(|adoption| adoption.take());
    drop(adoption);
}

impl Drop for Adoption {
    fn drop(&mut self) {
        let current = self.runtime.enter();
        // Before the tasks: the driver belongs to the executor, and must not be polled while they
        // are dropped.
        self.driver = None;
        self.at_home = None;
        self.runtime.blocking().shutdown(Some(Duration::ZERO));
        drop(current);
        GlommioRuntime::set_adopted(None);
    }
}

impl GlommioRuntime {
    /// Makes the runtime current during a poll of the driver, whatever the application has entered
    /// around it. The guards are dropped in this order.
    fn enter_in_poll(&self) -> (SlotGuard<Self>, Entered) {
        let outside = context::allow_blocking();
        (self.make_current(context::drive(&KIND)), outside)
    }
}
