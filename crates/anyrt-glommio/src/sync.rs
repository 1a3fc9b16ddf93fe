//! The locks, atomics and queues that the threads of a shard share: std's, or loom's in the models
//! (`scripts/check loom`).

pub(crate) use anyrt_kit::sync::*;

#[cfg(not(anyrt_loom))]
pub(crate) use concurrent_queue::ConcurrentQueue;
#[cfg(anyrt_loom)]
pub(crate) use model::ConcurrentQueue;

#[cfg(anyrt_loom)]
mod model {
    use std::collections::VecDeque;

    use super::{Mutex, MutexGuard, PoisonError};

    /// A queue whose operations take effect one after the other.
    pub(crate) struct ConcurrentQueue<T>(Mutex<State<T>>);

    struct State<T> {
        values: VecDeque<T>,
        closed: bool,
    }

    impl<T> ConcurrentQueue<T> {
        pub(crate) fn unbounded() -> Self {
            Self(Mutex::new(State {
                values: VecDeque::new(),
                closed: false,
            }))
        }

        pub(crate) fn push(&self, value: T) -> Result<(), T> {
            let mut state = self.lock();
            if state.closed {
                return Err(value);
            }
            state.values.push_back(value);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Result<T, ()> {
            self.lock().values.pop_front().ok_or(())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(crate) fn len(&self) -> usize {
            self.lock().values.len()
        }

        pub(crate) fn close(&self) {
            self.lock().closed = true;
        }

        fn lock(&self) -> MutexGuard<'_, State<T>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
