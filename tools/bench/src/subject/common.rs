//! The parts of the operations that do not depend on the runtime.

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;

/// Longer than any run.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Polls `future` once; it must not be ready.
pub(crate) async fn poll_once<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// A file of this process.
pub(crate) fn scratch_file() -> PathBuf {
    std::env::temp_dir().join(format!("anyrt-overhead-{}", std::process::id()))
}

/// A turn that two tasks pass to each other.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<(AtomicBool, AtomicWaker)>);

impl Turn {
    pub(crate) fn give(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.wake();
    }

    pub(crate) async fn take(&self) {
        poll_fn(|cx| {
            self.0.1.register(cx.waker());
            if self.0.0.swap(false, Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
