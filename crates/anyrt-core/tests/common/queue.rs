//! The simplest run queue: for one thread at a time.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use anyrt_kit::executor::{Runnable, TaskHandle, Tasks};

/// The number of tasks that run before the thread checks anything else.
const BATCH: usize = 128;

pub(crate) struct Queue {
    tasks: Arc<Tasks>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    runnables: VecDeque<Runnable>,
    worker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: Tasks::new(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn spawn<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let queue = Arc::clone(self);
        self.tasks
            .spawn(future, move |runnable| queue.schedule(runnable))
    }

    fn schedule(&self, runnable: Runnable) {
        let mut state = self.lock();
        state.runnables.push_back(runnable);
        let worker = state.worker.take();
        drop(state);
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// Runs tasks until `future` is ready.
    pub(crate) async fn run_until<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
            for _ in 0..BATCH {
                let mut state = self.lock();
                let Some(runnable) = state.runnables.pop_front() else {
                    state.worker = Some(cx.waker().clone());
                    return Poll::Pending;
                };
                drop(state);
                runnable.run();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Aborts all tasks and drops their futures.
    pub(crate) fn drain(&self) {
        self.tasks.close();
        loop {
            let runnable = self.lock().runnables.pop_front();
            let Some(runnable) = runnable else { return };
            runnable.run();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the lock")
    }
}
