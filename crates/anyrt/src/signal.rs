//! Signals of the operating system.
//!
//! # What listening changes
//! The first listener of a kind of signal replaces what the system does by default when it comes, **for the rest
//! of the process**: after a [`ctrl_c`], Ctrl-C no longer ends the program by itself, even when nobody listens any
//! more.

use std::io;

pub mod unix;

/// Waits for Ctrl-C: `SIGINT` on Unix.
///
/// It listens from the first poll on, and hears what comes after that.
///
/// # Errors
/// As [`unix::signal`].
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # async fn serve() {}
/// anyrt::select! {
///     () = serve() => {}
///     result = anyrt::signal::ctrl_c() => result?,
/// }
/// # Ok(()) });
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    unix::signal(unix::SignalKind::interrupt())?.recv().await;
    Ok(())
}
