//! The requirements on the kernel: io_uring and locked memory.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyrt_core::BuildError;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::kind::KIND;

/// Below this limit Glommio does not start, however little it has to lock.
const LEAST_LOCKABLE: u64 = 512 * 1024;
/// The kernel releases locked memory some time after a ring was closed, which affects consecutive
/// tests. About two seconds in total.
const RETRIES: u32 = 40;
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Checks whether Glommio can run here.
///
/// # Errors
/// Returns [`BuildError::Unavailable`] with the remedy if io_uring is missing, forbidden or has no
/// memory, and [`BuildError::Io`] on any other error.
pub fn is_available() -> Result<(), BuildError> {
    let limit = getrlimit(Resource::Memlock).current;
    if let Some(limit) = limit.filter(|limit| *limit < LEAST_LOCKABLE) {
        return Err(unavailable(format!(
            "RLIMIT_MEMLOCK is {limit} bytes and Glommio wants {LEAST_LOCKABLE}; raise it (`ulimit -l`, \
             LimitMEMLOCK= of systemd, `--ulimit memlock=` of Docker)"
        )));
    }
    // The smallest rings, because only the permission matters. Two, so that `let_glommio_look`
    // finds the two descriptors that it needs.
    let ring = || io_uring::IoUring::new(4);
    let rings = retry_without_memory(|| Ok((ring()?, ring()?)));
    rings.map(drop).map_err(explain)?;
    let_glommio_look();
    Ok(())
}

/// Makes Glommio query the features of the kernel. Glommio keeps the answer for the life of the
/// process. If it lacks a descriptor at that moment the answer is "unsupported" forever, so this
/// happens before a runtime takes descriptors.
fn let_glommio_look() {
    static HAS_LOOKED: AtomicBool = AtomicBool::new(false);
    const SMALL: RingOptions = RingOptions {
        depth: 4,
        io_memory: 16 * 1024,
    };
    if HAS_LOOKED.load(Ordering::Acquire) {
        return;
    }
    // On another thread, because Glommio allows one executor per thread and this one may have it.
    // An error is reported when the actual executor is created.
    let look = || make_executor(&SMALL).is_ok();
    if let Ok(thread) = std::thread::Builder::new().spawn(look)
        && let Ok(true) = thread.join()
    {
        HAS_LOOKED.store(true, Ordering::Release);
    }
}

/// The options of a Glommio executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RingOptions {
    pub(crate) depth: usize,
    pub(crate) io_memory: usize,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            depth: 128,
            io_memory: 64 * 1024,
        }
    }
}

/// Creates the executor of one shard, on the thread that will run it.
pub(crate) fn executor(ring: &RingOptions) -> Result<LocalExecutor, BuildError> {
    retry_without_memory(|| make_executor(ring)).map_err(explain)
}

fn make_executor(ring: &RingOptions) -> io::Result<LocalExecutor> {
    // Glommio's preempt timer may interrupt its loop before a task has run; Glommio may then park
    // with runnable tasks. The driver yields by itself and does not need that timer, so it is
    // disabled.
    const NEVER: Duration = Duration::from_secs(3600 * 24 * 365);
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(ring.io_memory)
        .ring_depth(ring.depth)
        .preempt_timer(NEVER)
        .make()
        .map_err(|error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::from(error),
        })
}

thread_local! {
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Returns `true` if an executor started by [`run`] runs on this thread. Glommio rejects a second
/// one.
pub(crate) fn is_running() -> bool {
    IS_RUNNING.get()
}

/// Runs `future`, which must not panic, in `executor` on this thread.
pub(crate) fn run<T>(executor: &LocalExecutor, future: impl Future<Output = T>) -> T {
    struct Running;
    impl Drop for Running {
        fn drop(&mut self) {
            IS_RUNNING.set(false);
        }
    }
    IS_RUNNING.set(true);
    let _running = Running;
    executor.run(future)
}

fn retry_without_memory<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut left = RETRIES;
    loop {
        match attempt() {
            Err(error) if is(&error, Errno::NOMEM) && left > 0 => {
                left -= 1;
                pause();
            }
            result => return result,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel frees locked memory late and tells nobody when it does"
)]
fn pause() {
    std::thread::sleep(RETRY_AFTER);
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

fn explain(error: io::Error) -> BuildError {
    if is(&error, Errno::NOSYS) {
        unavailable(format!(
            "this kernel has no io_uring ({error}); Linux 5.8 or newer is needed, built with CONFIG_IO_URING"
        ))
    } else if is(&error, Errno::PERM) || is(&error, Errno::ACCESS) {
        let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
        let why = match disabled.as_deref().map(str::trim) {
            Ok("2") => "kernel.io_uring_disabled is 2; set it to 0",
            Ok("1") => {
                "kernel.io_uring_disabled is 1; set it to 0, or run with CAP_SYS_ADMIN or in kernel.io_uring_group"
            }
            _ => {
                "a seccomp filter or security module forbids it; Docker: `--security-opt seccomp=` with a profile \
                 that allows io_uring_setup, io_uring_enter and io_uring_register"
            }
        };
        unavailable(format!("io_uring is forbidden here ({error}): {why}"))
    } else if is(&error, Errno::NOMEM) {
        let limit = getrlimit(Resource::Memlock).current;
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{bytes} bytes"));
        unavailable(format!(
            "no memory for the rings ({error}): RLIMIT_MEMLOCK is {limit} per user, each shard locks about three \
             times `io_memory` and 56 KiB; raise it (`ulimit -l`, LimitMEMLOCK= of systemd, `--ulimit memlock=` \
             of Docker), or use fewer shards, or a smaller `io_memory` or `ring_depth`"
        ))
    } else {
        BuildError::Io {
            backend: KIND.name(),
            source: error,
        }
    }
}

fn unavailable(why: String) -> BuildError {
    BuildError::Unavailable {
        backend: KIND.name(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(errno: Errno) -> String {
        explain(errno.into()).to_string()
    }

    #[test]
    fn each_refusal_names_its_cause_and_remedy() {
        let missing = text(Errno::NOSYS);
        assert!(
            missing.contains("no io_uring") && missing.contains("Linux 5.8"),
            "{missing}"
        );
        let forbidden = text(Errno::PERM);
        assert!(forbidden.contains("forbidden here"), "{forbidden}");
        assert!(
            forbidden.contains("io_uring_disabled") || forbidden.contains("seccomp"),
            "{forbidden}"
        );
        let memory = text(Errno::NOMEM);
        for part in ["RLIMIT_MEMLOCK", "ulimit -l", "fewer shards"] {
            assert!(memory.contains(part), "{memory}");
        }
        assert!(matches!(
            explain(Errno::MFILE.into()),
            BuildError::Io { .. }
        ));
    }

    #[test]
    fn memory_that_comes_late_is_waited_for_and_nothing_else_is() {
        let mut attempts = 0;
        let late = retry_without_memory(|| {
            attempts += 1;
            if attempts < 3 {
                Err(Errno::NOMEM.into())
            } else {
                Ok(attempts)
            }
        });
        assert_eq!(late.expect("the third attempt succeeds"), 3);
        let mut attempts = 0;
        let forbidden: io::Result<()> = retry_without_memory(|| {
            attempts += 1;
            Err(Errno::PERM.into())
        });
        assert!(forbidden.is_err());
        assert_eq!(attempts, 1);
    }
}
