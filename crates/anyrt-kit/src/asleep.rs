//! Whether a thread that waits must be woken.

use crate::sync::{AtomicBool, Ordering, fence};

/// For runtime authors: whether a thread sleeps, for those who leave something for it and would wake it by a system call.
///
/// The thread says that it sleeps first and looks for what was left afterwards; the others leave something first and ask
/// afterwards. A fence stands between on both sides, so one of them sees the other. Whoever is told to wake the thread
/// takes "asleep" away, so many who come at once wake it once.
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
    /// A thread that is awake.
    pub fn new() -> Self {
        Self::default()
    }

    /// The thread is about to sleep. It must look for what was left after this call, and wait only if there is nothing.
    #[inline]
    pub fn fall_asleep(&self) {
        self.flag.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The thread is awake: nobody need wake it.
    #[inline]
    pub fn wake_up(&self) {
        self.flag.store(false, Ordering::Relaxed);
    }

    /// Something was left for the thread. Returns whether the caller must wake it; no other caller must then.
    #[inline]
    pub fn rouse(&self) -> bool {
        fence(Ordering::SeqCst);
        self.rouse_here()
    }

    /// As [`rouse`](Self::rouse), on the thread itself, which sees what it leaves.
    #[inline]
    pub fn rouse_here(&self) -> bool {
        self.flag.load(Ordering::Relaxed) && self.flag.swap(false, Ordering::AcqRel)
    }
}
