//! Child processes.
//!
//! ```
//! use anyrt::process::Command;
//!
//! # anyrt::__private::run_example(async || {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok(()) });
//! ```
//!
//! # What dropping does
//! A process keeps running when its [`Child`] is dropped, unless [`Command::kill_on_drop`] is set.
//! Either way no zombie is left: a child that was dropped before it was waited for is reaped when
//! it exits, even if the runtime has ended by then. To do this, the program handles `SIGCHLD` from
//! the first such drop on.

mod child;
mod command;
mod exit;
mod orphans;
mod stdio;

pub use child::Child;
pub use command::Command;
pub use stdio::{ChildStderr, ChildStdin, ChildStdout};
