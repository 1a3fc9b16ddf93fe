//! Lets the other threads of a probe run while one waits in io_uring, under valgrind.
//!
//! Valgrind runs one thread at a time, which keeps valgrind's lock until it makes a system call
//! that valgrind treats as blocking. `io_uring_enter` is not one of them (3.19), so a thread that
//! waits for its ring stops all others, including the one that it waits for: a shard that sleeps
//! before its first task has arrived never wakes. Therefore a probe waits for its rings in `poll`,
//! natively and through anyrt.
#![expect(
    unsafe_code,
    reason = "stands before a function of the C library, and calls it"
)]

use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of `io_uring_enter`: waits for completions.
const GETEVENTS: usize = 1;

type Syscall = unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;

/// The C library's own.
fn system() -> Syscall {
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    let mut found = FOUND.load(Ordering::Relaxed);
    if found == 0 {
        // SAFETY: the name is terminated by a zero.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) } as usize;
        assert!(found != 0, "the C library has `syscall`");
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: the C library's function takes up to six arguments after the number, all passed as
    // integers.
    unsafe { std::mem::transmute::<usize, Syscall>(found) }
}

/// Replaces the C library's function of the same name, by which io-uring enters its rings.
///
/// # Safety
/// As the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    first: usize,
    second: usize,
    least: usize,
    flags: usize,
    fifth: usize,
    sixth: usize,
) -> c_long {
    let waits = number == libc::SYS_io_uring_enter && least > 0 && flags & GETEVENTS != 0;
    let least = if waits { 0 } else { least };
    // SAFETY: the arguments are unchanged, except the number of completions to wait for.
    let result = unsafe { system()(number, first, second, least, flags, fifth, sixth) };
    if waits && result >= 0 {
        let mut ring = libc::pollfd {
            fd: first as c_int,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one descriptor, which is valid for the call.
        unsafe { libc::poll(&raw mut ring, 1, -1) };
    }
    result
}
