//! Signals of Unix.
//!
//! ```
//! use anyrt::signal::unix::{SignalKind, signal};
//!
//! # anyrt::__private::run_example(async || {
//! let mut hangups = signal(SignalKind::hangup())?;
//! anyrt::spawn(async move {
//!     while hangups.recv().await.is_some() {
//!         println!("reading the configuration again");
//!     }
//! });
//! # Ok(()) });
//! ```

use std::future::poll_fn;
use std::io;
use std::os::raw::c_int;
use std::task::{Context, Poll};

use signal_hook::consts;

/// A kind of signal.
#[derive(Debug, Clone, Copy, Hash, PartialEq, Eq)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// The signal of that number, for those that have no name here, such as real-time ones.
    pub const fn from_raw(signum: c_int) -> Self {
        Self(signum)
    }

    /// The number.
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }

    /// `SIGALRM`: a timer of the system has run out. By default it ends the process.
    pub const fn alarm() -> Self {
        Self(consts::SIGALRM)
    }

    /// `SIGCHLD`: a child process has changed its state. By default it is ignored.
    pub const fn child() -> Self {
        Self(consts::SIGCHLD)
    }

    /// `SIGHUP`: the terminal is gone. By default it ends the process.
    pub const fn hangup() -> Self {
        Self(consts::SIGHUP)
    }

    /// `SIGINFO`: somebody asks how things are. By default it is ignored.
    #[cfg(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "illumos"
    ))]
    pub const fn info() -> Self {
        // Signal-hook has no name for it.
        Self(if cfg!(target_os = "illumos") { 41 } else { 29 })
    }

    /// `SIGINT`: Ctrl-C. By default it ends the process.
    pub const fn interrupt() -> Self {
        Self(consts::SIGINT)
    }

    /// `SIGIO`: a descriptor can be read or written. By default it is ignored, or ends the process.
    pub const fn io() -> Self {
        Self(consts::SIGIO)
    }

    /// `SIGPIPE`: nobody reads what is written to a pipe. By default it ends the process; programs in Rust ignore it.
    pub const fn pipe() -> Self {
        Self(consts::SIGPIPE)
    }

    /// `SIGQUIT`: Ctrl-\. By default it ends the process with a core dump.
    pub const fn quit() -> Self {
        Self(consts::SIGQUIT)
    }

    /// `SIGTERM`: somebody asks the process to end. By default it does.
    pub const fn terminate() -> Self {
        Self(consts::SIGTERM)
    }

    /// `SIGUSR1`: what it means is the program's choice. By default it ends the process.
    pub const fn user_defined1() -> Self {
        Self(consts::SIGUSR1)
    }

    /// `SIGUSR2`: what it means is the program's choice. By default it ends the process.
    pub const fn user_defined2() -> Self {
        Self(consts::SIGUSR2)
    }

    /// `SIGWINCH`: the terminal has another size. By default it is ignored.
    pub const fn window_change() -> Self {
        Self(consts::SIGWINCH)
    }
}

impl From<c_int> for SignalKind {
    fn from(signum: c_int) -> Self {
        Self::from_raw(signum)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> Self {
        kind.as_raw_value()
    }
}

/// Listens to one kind of signal; see [`signal`].
///
/// Every listener of a kind hears each signal. What comes while nobody asks is heard as one, as the system itself
/// does not count signals.
#[must_use = "a listener does nothing unless it is asked"]
#[derive(Debug)]
pub struct Signal {
    inner: one_of!(signal::Signal),
}

/// Listens to signals of that kind from now on.
///
/// The system's default action never happens again in this process; see [the module](super).
///
/// # Errors
/// When the system does not let that signal be handled: `SIGKILL`, `SIGSTOP`, faults such as `SIGSEGV`, and
/// numbers that are none.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let inner = on_current!(backend => backend::signal::listen(kind.0)?);
    Ok(Signal { inner })
}

impl Signal {
    /// Waits for the next signal, which may have come before the call. It is never `None`.
    ///
    /// # Cancel safety
    /// A dropped future has not taken a signal.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next signal; the waker of the last call is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        each!(&mut self.inner, signal => signal.poll_recv(cx))
    }
}
