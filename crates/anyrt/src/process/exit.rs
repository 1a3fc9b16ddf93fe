//! Waiting for the end of a process.
//!
//! On Linux a process has a descriptor that becomes readable when it ends. Elsewhere, and on a Linux that is too old
//! for that, the process listens to `SIGCHLD`, looks after each one, and waits on.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::{Child, ExitStatus};
use std::task::{Context, Poll};
use std::time::Duration;

use signal_hook::consts::SIGCHLD;

use super::orphans;
use crate::io::{Interest, unix::AsyncFd};
use crate::signal_hub::{self, Listener};
use crate::time::{Sleep, sleep};

/// A process that nobody has waited for to the end. Dropping it leaves the waiting to others.
pub(super) struct Exit {
    id: u32,
    /// `None` once it was waited for.
    child: Option<Child>,
    watch: Watch,
    kill_on_drop: bool,
}

enum Watch {
    Descriptor(AsyncFd<OwnedFd>),
    Signals(Listener),
    /// There was no descriptor left to watch it with: it is looked after now and then, and watched when there is one.
    Again(Pin<Box<Sleep>>),
    Nothing,
}

const AGAIN: Duration = Duration::from_millis(10);

impl Watch {
    /// It does not fail: the process runs, so it must be given out.
    #[track_caller]
    fn new(id: u32) -> Self {
        if let Some(descriptor) = descriptor_of(id)
            && let Ok(descriptor) = AsyncFd::with_interest(descriptor, Interest::READABLE)
        {
            return Self::Descriptor(descriptor);
        }
        match signal_hub::listen(SIGCHLD) {
            Ok(listener) => Self::Signals(listener),
            Err(_) => Self::Again(Box::pin(sleep(AGAIN))),
        }
    }
}

/// `None` on a system that has no such descriptors, or no more descriptors at all.
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
            // From here on it is reaped, also when it cannot be watched.
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
        let mut watched_anew = false;
        loop {
            // Who asks first and listens afterwards may miss the end.
            let listening = match &mut self.watch {
                Watch::Descriptor(descriptor) => match descriptor.poll_read_ready(cx) {
                    Poll::Ready(Ok(mut ready)) => {
                        ready.clear_ready();
                        false
                    }
                    Poll::Ready(Err(error)) if watched_anew => return Poll::Ready(Err(error)),
                    Poll::Ready(Err(_)) => {
                        // The runtime that started the process has ended, the process may not have.
                        self.watch = Watch::new(self.id);
                        watched_anew = true;
                        continue;
                    }
                    Poll::Pending => return Poll::Pending,
                },
                Watch::Signals(listener) => listener.poll_recv(cx).is_pending(),
                Watch::Again(sleep) => match sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => {
                        self.watch = Watch::new(self.id);
                        false
                    }
                    Poll::Pending => true,
                },
                Watch::Nothing => unreachable!("a process that is not watched is not given out"),
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
                // It fails for a process that has ended.
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

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::thread::{self, Thread};

    use super::*;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn ended(exit: &mut Exit) -> ExitStatus {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match exit.poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(status) => return status.unwrap(),
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The way of systems that have no descriptors of processes; it needs no runtime.
    #[test]
    fn a_signal_tells_the_end_as_well() {
        let children: Vec<_> = (0..5)
            .map(|code| {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("exit {code}"));
                let watch = Watch::Signals(signal_hub::listen(SIGCHLD).unwrap());
                let child = command.spawn().unwrap();
                let exit = Exit {
                    id: child.id(),
                    child: Some(child),
                    watch,
                    kill_on_drop: false,
                };
                (code, exit)
            })
            .collect();
        for (code, mut exit) in children {
            assert_eq!(ended(&mut exit).code(), Some(code));
        }
    }
}
