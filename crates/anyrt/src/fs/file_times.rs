//! Access and modification times of a file.

use std::time::SystemTime;

/// The times that [`File::set_times`](super::File::set_times) sets. Times that are not given are
/// kept.
#[derive(Debug, Clone, Default)]
#[must_use = "must be applied to a file via `File::set_times` to have any effect"]
pub struct FileTimes {
    pub(super) accessed: Option<SystemTime>,
    pub(super) modified: Option<SystemTime>,
}

impl FileTimes {
    /// Creates a value that sets no times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the access time.
    pub fn set_accessed(mut self, time: SystemTime) -> Self {
        self.accessed = Some(time);
        self
    }

    /// Sets the modification time.
    pub fn set_modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }
}
