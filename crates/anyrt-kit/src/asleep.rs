//! Whether a waiting thread must be woken.

use crate::sync::{AtomicBool, Ordering, fence};

/// For runtime authors: whether a thread sleeps, for threads that queue work for it and would wake
/// it with a system call.
///
/// The thread first marks itself as asleep and then checks for work. The others first queue work
/// and then check the mark. Both sides have a fence in between, so at least one of them sees the
/// other. The caller that must wake the thread clears the mark, so concurrent callers wake it once.
#[derive(Debug)]
pub struct Asleep {
    flag: AtomicBool,
}

impl Default for Asleep {
    fn default() -> Self {
        Self {
            flag: AtomicBool::new(false),
        }
    }
}

impl Asleep {
    /// Creates the state of a thread that is awake.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks the thread as asleep. It must check for work after this call, and wait only if there
    /// is none.
    #[inline]
    pub fn fall_asleep(&self) {
        self.flag.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Marks the thread as awake, so that it need not be woken.
    #[inline]
    pub fn wake_up(&self) {
        self.flag.store(false, Ordering::Relaxed);
    }

    /// Call it after work was queued for the thread. Returns `true` if the caller must wake it; no
    /// other caller must then.
    #[inline]
    pub fn rouse(&self) -> bool {
        fence(Ordering::SeqCst);
        self.rouse_here()
    }

    /// Like [`rouse`](Self::rouse), on the thread itself, which sees its own writes.
    #[inline]
    pub fn rouse_here(&self) -> bool {
        self.flag.load(Ordering::Relaxed) && self.flag.swap(false, Ordering::AcqRel)
    }
}
