//! Signals of the operating system.
//!
//! # What listening changes
//! The first listener for a signal replaces the system's default action **for the rest of the
//! process**: after a call of [`ctrl_c`], Ctrl-C no longer ends the program by itself, even if no
//! listener is left.

use std::io;

pub mod unix;

/// Waits for Ctrl-C (`SIGINT`).
///
/// Listens from the first poll on; earlier signals are not seen.
///
/// # Errors
/// See [`unix::signal`].
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// If the future is dropped, a signal that arrives before the next call is not seen. Use a
/// [`unix::Signal`] to receive every signal in a loop.
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
