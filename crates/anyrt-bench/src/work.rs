//! What `compare` lets a runtime do, and the figures of it.

use std::time::{Duration, Instant};

/// A job of a child process.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Spawns 1,000 tasks and joins them, for as long; microseconds.
    Spawn1000(Duration),
    /// So many tasks that do nothing but yield, for as long; nanoseconds per switch.
    Yield { tasks: usize, time: Duration },
    /// Two tasks that wake each other, for as long; nanoseconds per switch.
    Wake(Duration),
    /// Calls a blocking thread and waits for it, for as long; microseconds.
    Blocking(Duration),
    /// So many tasks that wait; bytes per task, and megabytes.
    Memory(usize),
    /// So many timers; milliseconds to start them, and of CPU until all have fired.
    Timers(usize),
    /// 1,000 sleeping tasks for as long; milliseconds of CPU per second.
    Idle(Duration),
    /// Writes and reads a file of so many bytes, and pages of it for as long.
    Files { size: u64, time: Duration },
    /// Serves echo until killed; prints its address.
    Echo,
    /// Serves a minimal HTTP until killed; prints its address.
    Http,
}

/// A name and a value.
pub type Figure = (&'static str, f64);

/// CPU time that this process has used.
pub fn cpu_time() -> Duration {
    let ticks = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task");
    Duration::from_nanos(tasks.map_or(0, |tasks| tasks.filter_map(ticks).sum()))
}

/// Resident memory of this process, in bytes.
pub fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds since `start`.
pub fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
