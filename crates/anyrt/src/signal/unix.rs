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

macro_rules! kinds {
    ($($(#[$doc:meta])* pub const fn $name:ident() = $signal:ident;)*) => {$(
        $(#[$doc])*
        pub const fn $name() -> Self {
            Self(consts::$signal)
        }
    )*};
}

impl SignalKind {
    /// Creates the signal with that number, for signals without a name here, such as real-time
    /// signals.
    pub const fn from_raw(signum: c_int) -> Self {
        Self(signum)
    }

    /// Returns the number of the signal.
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }

    kinds! {
        /// `SIGALRM`: a system timer has expired. Ends the process by default.
        pub const fn alarm() = SIGALRM;

        /// `SIGCHLD`: a child process has changed its state. Ignored by default.
        pub const fn child() = SIGCHLD;

        /// `SIGHUP`: the terminal was closed. Ends the process by default.
        pub const fn hangup() = SIGHUP;

        /// `SIGINT`: Ctrl-C. Ends the process by default.
        pub const fn interrupt() = SIGINT;

        /// `SIGIO`: a descriptor is ready. By default it is ignored or ends the process, depending
        /// on the system.
        pub const fn io() = SIGIO;

        /// `SIGPIPE`: a write to a pipe without readers. Ends the process by default; Rust programs
        /// ignore it.
        pub const fn pipe() = SIGPIPE;

        /// `SIGQUIT`: Ctrl-\. Ends the process with a core dump by default.
        pub const fn quit() = SIGQUIT;

        /// `SIGTERM`: a request to terminate. Ends the process by default.
        pub const fn terminate() = SIGTERM;

        /// `SIGUSR1`: its meaning is up to the program. Ends the process by default.
        pub const fn user_defined1() = SIGUSR1;

        /// `SIGUSR2`: its meaning is up to the program. Ends the process by default.
        pub const fn user_defined2() = SIGUSR2;

        /// `SIGWINCH`: the size of the terminal has changed. Ignored by default.
        pub const fn window_change() = SIGWINCH;
    }

    /// `SIGINFO`: a status request from the terminal. Ignored by default.
    #[cfg(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "illumos"
    ))]
    pub const fn info() -> Self {
        // signal-hook has no constant for it.
        Self(if cfg!(target_os = "illumos") { 41 } else { 29 })
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

/// A listener for one kind of signal; see [`signal`].
///
/// Every listener receives every signal. Signals that arrive between two calls are merged into one,
/// because the system does not count signals either.
#[must_use = "a listener does nothing unless it is asked"]
#[derive(Debug)]
pub struct Signal {
    inner: one_of!(signal::Signal),
}

/// Creates a listener for signals of that kind.
///
/// This replaces the system's default action for the rest of the process; see [the module](super).
///
/// # Errors
/// Fails if the signal cannot be handled: `SIGKILL`, `SIGSTOP`, faults such as `SIGSEGV`, and
/// invalid numbers.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let inner = on_current!(backend => backend::signal::listen(kind.0)?);
    Ok(Signal { inner })
}

impl Signal {
    /// Waits for the next signal, which may have arrived before the call. Never returns `None`.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no signal is lost.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next signal. Only the waker of the last call is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        each!(&mut self.inner, signal => signal.poll_recv(cx))
    }
}
