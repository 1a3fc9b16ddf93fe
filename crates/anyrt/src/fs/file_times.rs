//! When a file was accessed and modified.

use std::time::SystemTime;

/// What [`File::set_times`](super::File::set_times) sets; what is not set here stays.
#[derive(Debug, Clone, Default)]
#[must_use = "must be applied to a file via `File::set_times` to have any effect"]
pub struct FileTimes {
    pub(super) accessed: Option<SystemTime>,
    pub(super) modified: Option<SystemTime>,
}

impl FileTimes {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets when the file was accessed.
    pub fn set_accessed(mut self, time: SystemTime) -> Self {
        self.accessed = Some(time);
        self
    }

    /// Sets when the file was modified.
    pub fn set_modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }
}
