//! Files: each node has a disk of its own, of which a power failure leaves what was synced.
//!
//! A program on a node uses [`Files`] and [`File`]; the facade's `fs` does. A test looks at a disk and changes it from
//! outside by [`Disk`], and sets what fails by [`DiskFaults`].
//!
//! # Paths
//! Each disk begins empty but for the directory of [`std::env::temp_dir`]. Absolute paths begin at its root, and so do
//! relative ones. Neither `..` nor a symbolic link leads out of it.
//!
//! # What is durable
//! The rules are the strictest that a POSIX file system may have. A program that keeps its data under them does so on
//! ext4, XFS and Btrfs.
//!
//! | what was done | is durable after |
//! |---|---|
//! | contents and length of a file were changed | `sync_all` or `sync_data` of the file; for a handle with `O_SYNC` or `O_DSYNC`, the write |
//! | a file, directory or link was created or removed | `sync_all` of the directory that it is in, opened as a file |
//! | something was renamed | `sync_all` of the directory that it was moved to |
//! | permissions and times were set | at once |
//!
//! A new file needs both: what leads to it, up to the root, and its contents. A sync covers what was done before it was
//! called, not what is done while it is under way.
//!
//! [`Node::crash`](crate::Node::crash) loses nothing: the cache of the system survives, and only operations that were
//! under way do not happen. [`Node::power_off`](crate::Node::power_off) loses what was not synced, or a part of it, as
//! the seed chooses ([`Unsynced`]):
//! - Of a file: nothing, all, some pages of 4096 bytes, or some sectors of 512, each as it was at some moment since the
//!   last sync. The length is that of any such moment; what was not written of it is zeros. A truncation happens as a
//!   whole or not at all.
//! - Of directories: nothing, all, what was done first, or any of it. A rename happens as a whole or not at all. A
//!   change does not survive without those before it that it builds on: of the same name; for a removed directory
//!   those in it; for a directory that was moved all of them.
//!
//! Handles that were open before a crash are dead (`EBADF`).
//!
//! # Determinism
//! Each operation takes virtual time and happens at a moment that the seed chooses. The order of entries in a directory
//! is the seed's. Modification times are the node's clock; access, change and creation times, the numbers of inodes and
//! of the device are those of the real directory, which is in `/dev/shm` if there is one.

mod contents;
mod directory;
mod disk;
mod faults;
mod file;
mod files;
mod history;
mod power;
mod queue;
mod resolve;
mod store;
mod tree;
mod wish;

pub use disk::Disk;
pub use faults::{DiskFaults, Unsynced};
pub use file::{File, OnDisk, from_std};
pub use files::Files;
pub(crate) use queue::Disks;
pub use queue::Job;
