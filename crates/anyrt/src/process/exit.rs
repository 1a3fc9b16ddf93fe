//! Waiting for a process to exit.
//!
//! On Linux a process has a descriptor that becomes readable when it exits. On other systems, and
//! on a Linux without it, the program handles `SIGCHLD` and checks the child after each one.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::{Child, ExitStatus};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyrt_core::error::RuntimeEnded;
use signal_hook::consts::SIGCHLD;

use super::orphans;
use crate::io::{Interest, unix::AsyncFd};
use crate::runtime::Handle;
use crate::signal_hub::{self, Listener};
use crate::task::JoinSet;
use crate::time::{Sleep, sleep};

/// A process that was not reaped yet. Dropping it leaves that to the orphan list.
pub(super) struct Exit {
    id: u32,
    /// `None` once it was waited for.
    child: Option<Child>,
    watch: Watch,
    kill_on_drop: bool,
}

enum Watch {
    Descriptor(AsyncFd<OwnedFd>),
    /// Signals belong to the process and do not report the end of the runtime, so one of its tasks
    /// does.
    Signals(Listener, JoinSet<()>),
    /// No descriptor was free to watch it: check now and then, and watch it once there is one.
    Again(Pin<Box<Sleep>>),
    Nothing,
}

const AGAIN: Duration = Duration::from_millis(10);

impl Watch {
    /// Cannot fail: the process runs, so it must be returned.
    #[track_caller]
    fn new(id: u32) -> Self {
        if let Some(descriptor) = descriptor_of(id)
            && let Ok(descriptor) = AsyncFd::with_interest(descriptor, Interest::READABLE)
        {
            return Self::Descriptor(descriptor);
        }
        match signal_hub::listen(SIGCHLD) {
            Ok(listener) => Self::Signals(listener, alive()),
            Err(_) => Self::Again(Box::pin(sleep(AGAIN))),
        }
    }

    /// Watches the process in the current runtime, after the runtime that watched it has ended.
    ///
    /// # Errors
    /// Returns `ended` if there is no other runtime; otherwise the wait would never end.
    fn renewed(id: u32, ended: io::Error) -> io::Result<Self> {
        if Handle::try_current().is_err() {
            return Err(ended);
        }
        match descriptor_of(id) {
            Some(descriptor) => {
                AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self::Descriptor)
            }
            None => Ok(Self::new(id)),
        }
    }
}

/// A task of the current runtime, which reports its end where nothing else does.
#[track_caller]
fn alive() -> JoinSet<()> {
    let mut alive = JoinSet::new();
    alive.spawn(pending());
    alive
}

/// Returns `None` on a system without such descriptors, or if no descriptor is free.
#[cfg(target_os = "linux")]
fn descriptor_of(id: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    let id = Pid::from_raw(i32::try_from(id).ok()?)?;
    pidfd_open(id, PidfdFlags::NONBLOCK).ok()
}

#[cfg(not(target_os = "linux"))]
fn descriptor_of(_: u32) -> Option<OwnedFd> {
    None
}

impl Exit {
    #[track_caller]
    pub(super) fn new(child: Child, kill_on_drop: bool) -> io::Result<Self> {
        let mut exit = Self {
            id: child.id(),
            // From here on the child is reaped, even if it cannot be watched.
            child: Some(child),
            watch: Watch::Nothing,
            kill_on_drop,
        };
        exit.watch = Watch::new(exit.id);
        Ok(exit)
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn kill(&mut self) -> io::Result<()> {
        if let Some(child) = &mut self.child {
            child.kill()?;
            self.kill_on_drop = false;
        }
        Ok(())
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let mut renewed = false;
        loop {
            // Listen first, then check: the other order could miss the exit.
            let listening = match &mut self.watch {
                Watch::Descriptor(descriptor) => {
                    let ready = ready!(descriptor.poll_read_ready(cx));
                    ready.map(|mut ready| ready.clear_ready()).map(|()| false)
                }
                Watch::Signals(listener, alive) => match alive.poll_join_next(cx) {
                    Poll::Ready(_) => Err(io::Error::other(RuntimeEnded::new())),
                    Poll::Pending => Ok(listener.poll_recv(cx).is_pending()),
                },
                Watch::Again(sleep) => {
                    let again = sleep.as_mut().poll(cx);
                    if again.is_ready() {
                        self.watch = Watch::new(self.id);
                    }
                    Ok(again.is_pending())
                }
                Watch::Nothing => unreachable!("a process that is not watched is not given out"),
            };
            let listening = match listening {
                Ok(listening) => listening,
                Err(error) if renewed => return Poll::Ready(Err(error)),
                Err(error) => {
                    self.watch = Watch::renewed(self.id, error)?;
                    renewed = true;
                    continue;
                }
            };
            if let Some(status) = self.try_wait()? {
                return Poll::Ready(Ok(status));
            }
            if listening {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            if self.kill_on_drop {
                // Fails for a process that has exited.
                let _ = child.kill();
            }
            orphans::adopt(child);
        }
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit")
            .field("id", &self.id)
            .field("kill_on_drop", &self.kill_on_drop)
            .finish_non_exhaustive()
    }
}
