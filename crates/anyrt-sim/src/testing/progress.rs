//! The progress of a run of many seeds: a line on a terminal, nothing elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::execution::{lock, real_now};

/// The minimum time between two updates.
const EVERY: Duration = Duration::from_millis(100);

/// The length of the bar in characters.
const WIDTH: u64 = 30;

pub(super) struct Progress<'a> {
    name: &'a str,
    count: u64,
    begun: Instant,
    /// The time of the last update; `None` unless standard error is a terminal.
    written: Option<Mutex<Instant>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(name: &'a str, count: u64) -> Self {
        let begun = real_now();
        Self {
            name,
            count,
            begun,
            written: stderr().is_terminal().then(|| Mutex::new(begun)),
        }
    }

    pub(super) fn done(&self, done: u64) {
        let Some(written) = &self.written else {
            return;
        };
        let now = real_now();
        let mut written = lock(written);
        if now.duration_since(*written) >= EVERY {
            *written = now;
            let line = line(self.name, done, self.count, now.duration_since(self.begun));
            // Return to the start of the line, so that the next update replaces it.
            let _ = write!(stderr(), "\r{line}\x1b[K");
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.written.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(name: &str, done: u64, count: u64, elapsed: Duration) -> String {
    let filled = done.min(count) * WIDTH / count.max(1);
    let bar: String = (0..WIDTH)
        .map(|at| if at < filled { '#' } else { '.' })
        .collect();
    let left = match done {
        0 => String::new(),
        _ => {
            let left = elapsed.as_secs_f64() / done as f64 * count.saturating_sub(done) as f64;
            format!(", {left:.0} s left")
        }
    };
    format!("{name} [{bar}] {done} of {count} seeds{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is() {
        let text = line("a::b", 250, 1_000, Duration::from_secs(5));
        let bar = "#".repeat(7) + &".".repeat(23);
        assert_eq!(text, format!("a::b [{bar}] 250 of 1000 seeds, 15 s left"));
        assert!(line("a", 0, 10, Duration::ZERO).ends_with("] 0 of 10 seeds"));
        assert!(line("a", 10, 10, Duration::ZERO).contains(&"#".repeat(30)));
    }
}
