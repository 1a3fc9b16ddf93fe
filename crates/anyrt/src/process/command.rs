//! Starting processes.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as StdCommand, ExitStatus, Output, Stdio};

use super::Child;

/// A builder for processes: [`std::process::Command`] with asynchronous operations.
///
/// By default the child inherits the standard streams, except with [`output`](Self::output), and is
/// not killed when its [`Child`] is dropped.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use std::process::Stdio;
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
/// use anyrt::process::Command;
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let mut input = child.stdin.take().unwrap();
/// input.write_all(b"hello").await?;
/// drop(input); // `cat` reads to the end
///
/// let mut output = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut output).await?;
/// assert_eq!(output, "hello");
/// assert!(child.wait().await?.success());
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct Command {
    std: StdCommand,
    kill_on_drop: bool,
}

impl Command {
    /// Creates a command for `program`, which is searched in `PATH` unless it is a path.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        StdCommand::new(program).into()
    }

    /// Returns the command of the standard library.
    pub fn as_std(&self) -> &StdCommand {
        &self.std
    }

    /// Returns the command of the standard library, for options that are missing here.
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        &mut self.std
    }

    /// Returns the command of the standard library.
    pub fn into_std(self) -> StdCommand {
        self.std
    }

    setters! {
        std:
        /// Adds an argument. It is not interpreted by a shell.
        pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self;

        /// Adds arguments.
        pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&mut self, args: I) -> &mut Self;

        /// Sets an environment variable.
        pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, key: K, val: V) -> &mut Self;

        /// Sets environment variables.
        pub fn envs<I: IntoIterator<Item = (K, V)>, K: AsRef<OsStr>, V: AsRef<OsStr>>(
            &mut self, vars: I
        ) -> &mut Self;

        /// Removes an environment variable.
        pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self;

        /// Clears the environment of the child; it is inherited by default.
        pub fn env_clear(&mut self) -> &mut Self;

        /// Sets the working directory of the child; it is inherited by default.
        pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self;

        /// Sets the standard input of the child; inherited by default.
        pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self;

        /// Sets the standard output of the child; inherited by default.
        pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self;

        /// Sets the standard error of the child; inherited by default.
        pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self;

        /// Sets the user id of the child; inherited by default.
        pub fn uid(&mut self, id: u32) -> &mut Self;

        /// Sets the group id of the child; inherited by default.
        pub fn gid(&mut self, id: u32) -> &mut Self;

        /// Sets argument 0, the name that the child sees for itself; the program by default.
        pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self;

        /// Sets the process group of the child; inherited by default. 0 starts a new group.
        pub fn process_group(&mut self, pgroup: i32) -> &mut Self;
    }

    /// Sets whether the child is killed when its [`Child`] is dropped before it was waited for;
    /// `false` by default.
    ///
    /// This also applies to the futures of [`status`](Self::status) and [`output`](Self::output).
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Returns the value of [`kill_on_drop`](Self::kill_on_drop).
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// Starts the process and returns its [`Child`].
    ///
    /// # Errors
    /// Fails if the process cannot be started, for example with [`io::ErrorKind::NotFound`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::start(&mut self.std, self.kill_on_drop)
    }

    /// Starts the process at once. The returned future completes with its exit status.
    ///
    /// Piped streams are closed, because they could not be used.
    ///
    /// # Errors
    /// See [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    /// See [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future drops the [`Child`].
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let status = anyrt::process::Command::new("sh").args(["-c", "exit 3"]).status().await?;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok(()) });
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Starts the process at once. The returned future completes with its output and exit status.
    ///
    /// # Errors
    /// See [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    /// See [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future drops the [`Child`].
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let output = anyrt::process::Command::new("echo").arg("hello").output().await?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// # Ok(()) });
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.std.stdout(Stdio::piped());
        self.std.stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }
}

impl From<StdCommand> for Command {
    fn from(std: StdCommand) -> Self {
        Self {
            std,
            kill_on_drop: false,
        }
    }
}
