//! Running processes.

use std::future::poll_fn;
use std::io;
use std::process::{Command as StdCommand, ExitStatus, Output};

use super::exit::Exit;
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::backend::unbound;
use crate::io::{AsyncRead, AsyncReadExt};
use crate::try_join;

/// A process that was started.
///
/// Dropping it neither stops nor waits for the process, unless [`Command::kill_on_drop`](super::Command::kill_on_drop)
/// was set; in no case is a zombie left.
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
    state: State,
    /// What the child reads, if that is piped. While it is open, most programs that read do not end.
    pub stdin: Option<ChildStdin>,
    /// What the child writes, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// What the child writes of errors, if that is piped.
    pub stderr: Option<ChildStderr>,
}

#[derive(Debug)]
enum State {
    Running(Exit),
    Ended(ExitStatus),
}

impl Child {
    #[track_caller]
    pub(super) fn start(command: &mut StdCommand, kill_on_drop: bool) -> io::Result<Self> {
        // Before there is a process that an error or a panic would leave alone.
        crate::runtime::Handle::current();
        let mut child = unbound(|| command.spawn())?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on it is reaped whatever fails.
        let exit = Exit::new(child, kill_on_drop)?;
        Ok(Self {
            state: State::Running(exit),
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: stdout.map(ChildStdout::from_std).transpose()?,
            stderr: stderr.map(ChildStderr::from_std).transpose()?,
        })
    }

    /// The number of the process; `None` once it was waited for, since another one may have it by then.
    pub fn id(&self) -> Option<u32> {
        match &self.state {
            State::Running(exit) => Some(exit.id()),
            State::Ended(_) => None,
        }
    }

    /// Kills the process with `SIGKILL` and does not wait for its end.
    ///
    /// # Errors
    /// As the system's `kill`. A process that has ended is no error.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Running(exit) => exit.kill(),
            State::Ended(_) => Ok(()),
        }
    }

    /// Kills the process with `SIGKILL` and waits for its end.
    ///
    /// # Errors
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    /// The process is killed by the first poll; [`wait`](Self::wait) goes on from there.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Waits for the end of the process. What it would still read is closed before, so that it is not waited for.
    ///
    /// Once it has ended, it gives the same again and again.
    ///
    /// # Errors
    /// As the system's `waitpid`, which fails when somebody else has waited for the process. When the runtime ends in
    /// which it waits, as in a blocking job; another runtime can go on with it.
    ///
    /// # Cancel safety
    /// The end of the process is not lost; the pipe to it is closed by the first poll.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        match &mut self.state {
            State::Running(exit) => {
                let status = poll_fn(|cx| exit.poll(cx)).await?;
                self.state = State::Ended(status);
                Ok(status)
            }
            State::Ended(status) => Ok(*status),
        }
    }

    /// Gives the end of the process, if it has ended. Unlike [`wait`](Self::wait) it closes nothing.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.state {
            State::Running(exit) => {
                let status = exit.try_wait()?;
                if let Some(status) = status {
                    self.state = State::Ended(status);
                }
                Ok(status)
            }
            State::Ended(status) => Ok(Some(*status)),
        }
    }

    /// Waits for the end of the process, and reads all that it writes to pipes meanwhile.
    ///
    /// # Errors
    /// As [`wait`](Self::wait) and as reading the pipes.
    ///
    /// # Cancel safety
    /// What was read is lost; the process is treated as by dropping the [`Child`].
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let (mut out, mut err) = (self.stdout.take(), self.stderr.take());
        // The pipes outlive the process: else its last words would meet a broken pipe.
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
