//! Virtual time and seeded randomness for code that asks the operating system, in simulations of
//! anyrt.
//!
//! A test binary that links this crate has its own `clock_gettime`, `gettimeofday`, `time`,
//! `getrandom`, `getentropy` and `getaddrinfo`: the linker prefers them to those of the C library.
//! Inside of a simulation they return its values. Everywhere else they call the real system.
//!
//! ```
//! use anyrt_core::Timer;
//! use anyrt_sim::{Sim, SimRuntime};
//! use anyrt_sim_libc as _; // that is all: it must be linked
//! use std::time::{Duration, Instant};
//!
//! let sim = Sim::new(1);
//! sim.client("client", async {
//!     let before = Instant::now();
//!     SimRuntime::try_current().unwrap().sleep(Duration::from_secs(3600)).await;
//!     # #[cfg(target_os = "linux")]
//!     assert_eq!(before.elapsed().as_secs(), 3600);
//! });
//! sim.run().unwrap();
//! ```
//!
//! # What is controlled
//! The functions answer from the simulation only on a thread that runs a simulated program: while a
//! task, a blocking job or the future of a `block_on` is polled or dropped, in a simulation that is
//! not [open](anyrt_sim::Builder::open). See [`anyrt_sim::system`].
//!
//! | source | answer |
//! |---|---|
//! | `Instant::now`, `CLOCK_MONOTONIC` and similar clocks | virtual, equal to `Timer::now`; zero at the start |
//! | `SystemTime::now`, `CLOCK_REALTIME`, `gettimeofday`, `time` | [`SimRuntime::system_time`](anyrt_sim::SimRuntime::system_time) of the node |
//! | `getrandom` 0.3 and 0.4, and therefore `rand` and `uuid`: `getrandom`, `getentropy` | bytes from the seed, from a stream of their own |
//! | `HashMap::new`, `RandomState` | keys from the seed, on threads that did not draw keys before; see below |
//! | `ToSocketAddrs` and everything else that resolves by `getaddrinfo` | the nodes by their names; no other name is known |
//!
//! std draws the keys of its hash maps once for each thread and then counts up, so the first draw
//! of a thread decides. `#[anyrt::test(sim)]` uses a fresh thread for each seed, and blocking jobs
//! run on threads of their simulation, so their keys come from the seed. On a thread that has used
//! a `HashMap` before, for example if one function calls [`Sim::run`](anyrt_sim::Sim::run) several
//! times, the keys continue from their last value.
//!
//! # What is not controlled
//! - Clocks of CPU time, the processor's own counter and generator (`rdtsc`, `rdrand`),
//!   `/dev/urandom`, and system calls that bypass the C library's function, as in `getrandom` 0.2.
//! - `ThreadId`s and statics that count: equal in two processes that run the same seeds, but not in
//!   a process that runs a seed alone. fastrand mixes the id of its thread into its seed.
//! - Memory addresses: hashbrown's own default hasher (foldhash) and code that sorts by pointer.
//!   `setarch -R cargo test` runs without a random layout.
//! - Waiting in real time: `thread::sleep`, and the time-outs of `Condvar` and `park_timeout`,
//!   which use the real clock. Use the runtime's timers.
//! - Threads that the program starts by itself: they see the real system.
//! - Dynamically loaded libraries that bind their symbols to the C library at build time
//!   (`-Bsymbolic`).
//!
//! # Cost
//! Outside of a simulation each call is a system call, although the C library would read the clock
//! without one. Therefore link this crate into tests only.
//!
//! # Other systems
//! On systems other than Linux the crate is empty: [`is_active`] returns `false`.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "functions of the C library are replaced")]
mod symbols;

/// Returns `true` if std asks this crate for the time: it is linked, and nothing else took its
/// place.
pub fn is_active() -> bool {
    #[cfg(target_os = "linux")]
    return symbols::is_asked(|| {
        let _ = std::time::SystemTime::now();
    });
    #[cfg(not(target_os = "linux"))]
    false
}
