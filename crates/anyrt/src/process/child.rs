//! Running processes.

use std::future::poll_fn;
use std::io;
use std::process::{Command as StdCommand, ExitStatus, Output};

use super::exit::Exit;
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::backend::affinity::unbound;
use crate::backend::simulated::check_real;
use crate::io::{AsyncRead, AsyncReadExt};
use crate::try_join;

/// A child process.
///
/// Dropping it neither kills nor waits for the process, unless
/// [`Command::kill_on_drop`](super::Command::kill_on_drop) is set. No zombie is left in either
/// case.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::process::Command;
/// use anyrt::time::{Duration, timeout};
///
/// let mut child = Command::new("sleep").arg("3600").spawn()?;
/// if timeout(Duration::from_millis(5), child.wait()).await.is_err() {
///     child.kill().await?;
/// }
/// assert!(!child.wait().await?.success());
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct Child {
    state: Progress,
    /// The standard input of the child, if piped. Most programs that read do not exit while it is
    /// open.
    pub stdin: Option<ChildStdin>,
    /// The standard output of the child, if piped.
    pub stdout: Option<ChildStdout>,
    /// The standard error of the child, if piped.
    pub stderr: Option<ChildStderr>,
}

#[derive(Debug)]
enum Progress {
    Running(Exit),
    Ended(ExitStatus),
}

impl Child {
    #[track_caller]
    pub(super) fn start(command: &mut StdCommand, kill_on_drop: bool) -> io::Result<Self> {
        // Checked first, before there is a process that an error or a panic would leak.
        crate::runtime::Handle::current();
        check_real("a child process")?;
        let mut child = unbound(|| command.spawn())?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on the child is reaped, whatever fails.
        let exit = Exit::new(child, kill_on_drop)?;
        Ok(Self {
            state: Progress::Running(exit),
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: stdout.map(ChildStdout::from_std).transpose()?,
            stderr: stderr.map(ChildStderr::from_std).transpose()?,
        })
    }

    /// Returns the process id, or `None` once the process was waited for, because the id may have
    /// been reused.
    pub fn id(&self) -> Option<u32> {
        match &self.state {
            Progress::Running(exit) => Some(exit.id()),
            Progress::Ended(_) => None,
        }
    }

    /// Kills the process with `SIGKILL`, without waiting for it to exit.
    ///
    /// # Errors
    /// Fails if the system's `kill` does. A process that has exited is not an error.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.state {
            Progress::Running(exit) => exit.kill(),
            Progress::Ended(_) => Ok(()),
        }
    }

    /// Kills the process with `SIGKILL` and waits for it to exit.
    ///
    /// # Errors
    /// See [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    /// The first poll kills the process. If the future is dropped, continue with
    /// [`wait`](Self::wait).
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Waits for the process to exit. Closes its standard input first, so that it does not wait for
    /// more.
    ///
    /// Returns the same status when called again.
    ///
    /// # Errors
    /// Fails if the system's `waitpid` does, for example if other code has waited for the process.
    /// Also fails if its runtime ends meanwhile, as in a blocking job; the child can then be waited
    /// for in another runtime.
    ///
    /// # Cancel safety
    /// Cancel-safe: the exit status is not lost. The first poll closes standard input.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        match &mut self.state {
            Progress::Running(exit) => {
                let status = poll_fn(|cx| exit.poll(cx)).await?;
                self.state = Progress::Ended(status);
                Ok(status)
            }
            Progress::Ended(status) => Ok(*status),
        }
    }

    /// Returns the exit status if the process has exited. Unlike [`wait`](Self::wait), does not
    /// close standard input.
    ///
    /// # Errors
    /// See [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.state {
            Progress::Running(exit) => {
                let status = exit.try_wait()?;
                if let Some(status) = status {
                    self.state = Progress::Ended(status);
                }
                Ok(status)
            }
            Progress::Ended(status) => Ok(Some(*status)),
        }
    }

    /// Waits for the process to exit while collecting its piped output.
    ///
    /// # Errors
    /// Fails if [`wait`](Self::wait) does, or if a pipe cannot be read.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the output collected so far is lost, and the [`Child`] is dropped.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let (mut out, mut err) = (self.stdout.take(), self.stderr.take());
        // The pipes must outlive the process, or its last write would fail with a broken pipe.
        let (status, stdout, stderr) =
            try_join!(self.wait(), read_all(&mut out), read_all(&mut err))?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

async fn read_all(pipe: &mut Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(pipe) = pipe {
        pipe.read_to_end(&mut all).await?;
    }
    Ok(all)
}
