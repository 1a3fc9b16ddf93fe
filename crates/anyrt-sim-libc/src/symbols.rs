//! The functions that the linker prefers to those of the C library.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::net::IpAddr;
use std::ptr;
use std::time::{Duration, SystemTime};

use anyrt_sim::system;
use libc::{
    addrinfo, c_char, c_int, c_uint, c_void, clockid_t, size_t, ssize_t, time_t, timespec, timeval,
};

thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns `true` if `question` called a function of this crate.
pub(crate) fn is_asked(question: impl FnOnce()) -> bool {
    ASKED.set(false);
    question();
    ASKED.get()
}

/// Returns the reading of a clock inside of a simulation.
fn shown(clock: clockid_t) -> Option<Duration> {
    match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => since_epoch(),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME => system::monotonic(),
        _ => None,
    }
}

fn since_epoch() -> Option<Duration> {
    // A node's clock may be set to before 1970, which only the caller's arithmetic would show.
    let time = system::real_time()?;
    Some(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// As `clock_gettime(2)`.
///
/// # Safety
/// `time` must be null or valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    ASKED.set(true);
    match shown(clock) {
        Some(shown) if !time.is_null() => {
            // `timespec` has padding on some targets, so it is not built as a literal.
            // SAFETY: the type is of integers only, for which zero is a value.
            let mut value: timespec = unsafe { std::mem::zeroed() };
            value.tv_sec = shown.as_secs() as _;
            value.tv_nsec = shown.subsec_nanos() as _;
            // SAFETY: the caller's promise; it is not null.
            unsafe { time.write(value) };
            0
        }
        // SAFETY: the same call with the caller's arguments; the kernel checks the pointer.
        _ => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int },
    }
}

/// As `gettimeofday(2)`.
///
/// # Safety
/// Both must be null or valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut c_void) -> c_int {
    match since_epoch() {
        Some(shown) if !time.is_null() => {
            let value = timeval {
                tv_sec: shown.as_secs() as _,
                tv_usec: shown.subsec_micros() as _,
            };
            // SAFETY: the caller's promise; it is not null.
            unsafe { time.write(value) };
            0
        }
        // SAFETY: the same call with the caller's arguments; the kernel checks the pointers.
        _ => unsafe { libc::syscall(libc::SYS_gettimeofday, time, zone) as c_int },
    }
}

/// As `time(2)`.
///
/// # Safety
/// `time` must be null or valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    // SAFETY: the type is of integers only, for which zero is a value.
    let mut now: timespec = unsafe { std::mem::zeroed() };
    // SAFETY: it is a local variable.
    if unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut now) } != 0 {
        return -1;
    }
    if !time.is_null() {
        // SAFETY: the caller's promise; it is not null.
        unsafe { time.write(now.tv_sec) };
    }
    now.tv_sec
}

/// Fills memory that need not be initialized. `false` outside of a simulation.
///
/// # Safety
/// `buffer` must be valid for a write of `len` bytes.
unsafe fn fill(buffer: *mut c_void, len: size_t) -> bool {
    let mut done = 0;
    let mut bytes = [0; 256];
    while done < len {
        let part = &mut bytes[..(len - done).min(256)];
        if !system::fill(part) {
            return false;
        }
        // SAFETY: `done + part.len()` is at most `len`, and the array is not in the caller's
        // memory.
        unsafe {
            let target = buffer.cast::<u8>().add(done);
            ptr::copy_nonoverlapping(part.as_ptr(), target, part.len());
        }
        done += part.len();
    }
    len > 0
}

/// As `getrandom(2)`.
///
/// # Safety
/// `buffer` must be valid for a write of `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller's promise.
    if !buffer.is_null() && unsafe { fill(buffer, len) } {
        return len as ssize_t;
    }
    // SAFETY: the same call with the caller's arguments; the kernel checks the pointer.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) as ssize_t }
}

/// The most bytes that `getentropy` returns at once.
const ENTROPY_MAX: size_t = 256;

/// As `getentropy(3)`.
///
/// # Safety
/// `buffer` must be valid for a write of `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, len: size_t) -> c_int {
    if len > ENTROPY_MAX {
        // SAFETY: the C library returns a valid pointer to the thread's own number.
        unsafe { *libc::__errno_location() = libc::EIO };
        return -1;
    }
    let mut done = 0;
    while done < len {
        // SAFETY: `done` is less than `len`, and the rest is the caller's memory.
        let got = unsafe { getrandom(buffer.cast::<u8>().add(done).cast(), len - done, 0) };
        let interrupted = || std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
        match usize::try_from(got) {
            Ok(got) => done += got,
            Err(_) if interrupted() => {}
            Err(_) => return -1,
        }
    }
    0
}

type GetAddrInfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

/// As `getaddrinfo(3)`.
///
/// # Safety
/// As for that function: terminated strings, and a valid place for the result.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    name: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the name is a terminated constant.
    let next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr()) };
    if next.is_null() {
        // A program that is linked statically has no other.
        return libc::EAI_FAIL;
    }
    // SAFETY: the symbol of that name in the C library is this function.
    let next: GetAddrInfo = unsafe { std::mem::transmute(next) };
    let address = match name.is_null() {
        true => None,
        // SAFETY: the caller's promise; it is not null.
        false => address(unsafe { CStr::from_ptr(name) }),
    };
    match &address {
        // The C library must allocate the result, because the caller frees it with `freeaddrinfo`.
        // SAFETY: the caller's arguments.
        None => unsafe { next(name, service, hints, result) },
        // SAFETY: the caller's arguments, and a string that lives until the call is over.
        Some(Some(address)) => unsafe { next(address.as_ptr(), service, hints, result) },
        Some(None) => libc::EAI_NONAME,
    }
}

/// Returns the address of a node as text, or no text if no node has the name. `None` where the
/// system must answer, for example for a name that is an address already.
fn address(name: &CStr) -> Option<Option<CString>> {
    let name = name.to_str().ok()?;
    if name == "localhost" || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let addresses = system::addresses(name)?;
    let first = addresses.first();
    Some(first.and_then(|address| CString::new(address.to_string()).ok()))
}
