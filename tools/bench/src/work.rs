//! The work of a runtime in `compare`, and its figures.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A job of a child process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Spawns 1,000 tasks and joins them, for this long; microseconds.
    Spawn1000(Duration),
    /// This many tasks that only yield, for this long; nanoseconds per switch.
    Yield { tasks: usize, time: Duration },
    /// Two tasks that wake each other, for this long; nanoseconds per switch.
    Wake(Duration),
    /// A task and a thread that wake each other, for this long; microseconds per round trip. The
    /// thread is on `core`.
    WakeAcross { core: usize, time: Duration },
    /// Calls a blocking thread and waits for it, for this long; microseconds. The thread is on
    /// `core`.
    Blocking { core: usize, time: Duration },
    /// This many waiting tasks; bytes per task, and megabytes.
    Memory(usize),
    /// This many timers; milliseconds to start them, and of CPU until all have fired.
    Timers(usize),
    /// 1,000 sleeping tasks for this long; milliseconds of CPU per second, and context switches.
    Idle(Duration),
    /// Writes and reads a file of this many bytes, and pages of it for this long.
    Files { size: u64, time: Duration },
    /// Serves until killed; prints its address.
    Serve(Dialogue),
}

/// A request, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialogue {
    /// A round trip of 1 KB.
    Echo,
    /// A GET over a persistent connection.
    Http,
}

/// The answer of the HTTP servers.
pub const HTTP_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, world!";

impl Dialogue {
    /// Returns the request of a client.
    pub fn request(self) -> Vec<u8> {
        match self {
            Self::Echo => vec![7; 1024],
            Self::Http => {
                b"GET / HTTP/1.1\r\nhost: localhost\r\nuser-agent: anyrt-bench\r\n\r\n".to_vec()
            }
        }
    }

    /// Returns the bytes of the answer.
    pub fn answer_length(self) -> usize {
        match self {
            Self::Echo => 1024,
            Self::Http => HTTP_ANSWER.len(),
        }
    }
}

/// A name and a value.
pub type Figure = (&'static str, f64);

/// Returns the CPU time of the threads of a process, a number or `self`.
///
/// # Errors
/// Fails if there is no such process.
pub fn cpu_time(process: &str) -> std::io::Result<Duration> {
    let nanos = of_threads(process, "schedstat", |stat| {
        stat.split(' ').next()?.parse::<u64>().ok()
    })?;
    Ok(Duration::from_nanos(nanos.iter().sum()))
}

/// Returns how often the threads of a process, a number or `self`, have stopped running,
/// voluntarily or not.
///
/// # Errors
/// Fails if there is no such process.
pub fn context_switches(process: &str) -> std::io::Result<f64> {
    let counts = of_threads(process, "status", |status| {
        let counts = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .filter_map(|line| line.split_whitespace().last()?.parse::<f64>().ok());
        Some(counts.sum::<f64>())
    })?;
    Ok(counts.iter().sum())
}

/// Reads a file of each thread; a thread that has just ended has none.
fn of_threads<T>(
    process: &str,
    file: &str,
    read: impl Fn(&str) -> Option<T>,
) -> std::io::Result<Vec<T>> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"))?;
    let texts =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join(file)).ok());
    Ok(texts.filter_map(|text| read(&text)).collect())
}

/// Restricts the calling thread, and those that it starts, to these cores.
///
/// # Errors
/// Fails if the system refuses, for example if the process may not use a core.
#[cfg(target_os = "linux")]
pub fn pin(cores: &[usize]) -> std::io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Does nothing on other systems.
#[cfg(not(target_os = "linux"))]
pub fn pin(_: &[usize]) -> std::io::Result<()> {
    Ok(())
}

/// Restricts the calling thread to `core`, unless it is there already.
pub fn move_to(core: usize) {
    thread_local! {
        static THERE: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
    }
    if THERE.replace(Some(core)) != Some(core) {
        pin(&[core]).unwrap();
    }
}

/// Returns the resident memory of this process, in bytes.
pub fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0
}

/// Returns the median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the seconds since `start`.
pub fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
