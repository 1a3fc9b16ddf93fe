//! Files: each node has its own disk, which loses unsynced changes when the power fails.
//!
//! The facade's `fs` uses [`Files`] and [`File`] for programs on a node. A test reads and changes a
//! disk from outside through [`Disk`], and injects faults with [`DiskFaults`].
//!
//! # Paths
//! At first a disk contains only the directory that [`std::env::temp_dir`] names. Absolute and
//! relative paths start at its root. Neither `..` nor a symbolic link leads out of it.
//!
//! # What is durable
//! The rules are the strictest that POSIX allows. A program that keeps its data under them also
//! keeps it on ext4, XFS and Btrfs.
//!
//! | change | durable after |
//! |---|---|
//! | contents or length of a file | `sync_all` or `sync_data` of the file; with `O_SYNC` or `O_DSYNC`, the write itself |
//! | a file, directory or link created or removed | `sync_all` of its directory, opened as a file |
//! | an entry renamed | `sync_all` of the target directory |
//! | permissions and times | the call itself |
//!
//! A new file needs both: its contents, and every directory entry that leads to it from the root. A
//! sync covers the changes made before it was called, not those made while it runs. Nothing becomes
//! durable with time.
//!
//! [`Node::crash`](crate::Node::crash) loses nothing, because the page cache survives; only
//! operations in progress do not happen. [`Node::power_off`](crate::Node::power_off) loses unsynced
//! changes, all or in part, as the seed chooses ([`Unsynced`]):
//! - Files: nothing survives, everything, some pages of 4096 bytes, or some sectors of 512 bytes,
//!   each as it was at some moment since the last sync. The length is that of any such moment;
//!   parts that were not written are zeros. A truncation is atomic.
//! - Directories: no change survives, all, the first ones, or any subset. A rename is atomic. A
//!   change survives only with the earlier changes that it builds on: those of the same name; for
//!   the removal of a directory, those inside it; for the move of a directory, all.
//!
//! Handles that were open before a crash fail with `EBADF`.
//!
//! # Determinism
//! Each operation takes virtual time, which the seed chooses, as it does the order of directory
//! entries. Modification times come from the node's clock. Access, change and creation times, inode
//! and device numbers come from the real directory, which is in `/dev/shm` if that exists.

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
