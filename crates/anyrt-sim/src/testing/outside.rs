//! Threads and sockets that the process has outside of simulations, read from Linux's `/proc`;
//! elsewhere none are seen.

use std::fs;

use crate::blocking;

/// Threads and sockets of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) threads: u64,
    pub(super) sockets: u64,
}

impl Outside {
    pub(super) fn look() -> Self {
        Self {
            threads: threads(),
            sockets: sockets(),
        }
    }

    /// Returns what was added since the first count.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            threads: self.threads.saturating_sub(before.threads),
            sockets: self.sockets.saturating_sub(before.sockets),
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            threads: self.threads.max(other.threads),
            sockets: self.sockets.max(other.sockets),
        }
    }
}

fn threads() -> u64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let names = threads.flatten().map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm"));
        name.unwrap_or_default()
    });
    // The threads of blocking jobs belong to a simulation.
    names
        .filter(|name| name.trim_end() != blocking::NAME)
        .count() as u64
}

fn sockets() -> u64 {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else {
        return 0;
    };
    let targets = descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count() as u64
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_threads_are_counted() {
        let before = Outside::look();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        // Other tests of this process may have some too.
        assert!(Outside::look().sockets >= 1 && Outside::look().threads >= 2);
        assert_eq!(before.since(before), Outside::default());
        drop((end, socket));
        let _ = thread.join();
    }
}
