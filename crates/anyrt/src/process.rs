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
//! A process goes on when its [`Child`] is dropped, unless [`Command::kill_on_drop`] says otherwise. Either way it
//! leaves no zombie behind: whatever is dropped before it was waited for is reaped when it ends, whether or not a
//! runtime is left by then. For that the process listens to `SIGCHLD` from the first such drop on.

mod child;
mod command;
mod exit;
mod orphans;
mod stdio;

pub use child::Child;
pub use command::Command;
pub use stdio::{ChildStderr, ChildStdin, ChildStdout};
