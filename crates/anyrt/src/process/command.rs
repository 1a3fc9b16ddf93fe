//! How to start a process.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as StdCommand, ExitStatus, Output, Stdio};

use super::Child;

/// A process to be started: [`std::process::Command`], with asynchronous ways to start it.
///
/// By default the child shares the standard streams of this process, except with [`output`](Self::output), and is
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
    /// Starts `program`, which is looked for in `PATH` unless it is a path.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        StdCommand::new(program).into()
    }

    /// The command of the standard library.
    pub fn as_std(&self) -> &StdCommand {
        &self.std
    }

    /// The command of the standard library, for what is missing here.
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        &mut self.std
    }

    /// The command of the standard library.
    pub fn into_std(self) -> StdCommand {
        self.std
    }

    /// Adds an argument. No shell looks at it.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, val);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of the environment.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Starts with an empty environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Starts in that directory.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self {
        self.std.current_dir(dir);
        self
    }

    /// What the child reads.
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.std.stdin(cfg);
        self
    }

    /// Where the child writes.
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.std.stdout(cfg);
        self
    }

    /// Where the child writes its errors.
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.std.stderr(cfg);
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped before it was waited for; by default it is not.
    ///
    /// That goes for the futures of [`status`](Self::status) and [`output`](Self::output) as well.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// What [`kill_on_drop`](Self::kill_on_drop) said last.
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// The user that the child runs as.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// The group that the child runs as.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// The name by which the child is told that it was called.
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.std.arg0(arg);
        self
    }

    /// The process group of the child; zero starts one of its own.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Self {
        self.std.process_group(pgroup);
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    /// As the system cannot start it, such as [`io::ErrorKind::NotFound`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::start(&mut self.std, self.kill_on_drop)
    }

    /// Starts the process at once, and gives a future of its end.
    ///
    /// Streams that are piped are closed, as nobody could read them.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// As dropping a [`Child`].
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

    /// Starts the process at once, and gives a future of all that it writes, with its end.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// As dropping a [`Child`].
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
