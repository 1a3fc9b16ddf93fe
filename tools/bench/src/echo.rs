//! An echo server of each runtime in a child process, and a client that drives it.

mod serve;

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyrt_bench::Backend;
use anyrt_bench::work::Dialogue;

use crate::compare::{Ask, Pace, client};
use crate::fail::fail;

pub(crate) use serve::serve;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The runtime that polls the server, and the kind of its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// The native runtime with its own sockets.
    Native,
    /// The native runtime's sockets, inside anyrt's runtime.
    Inside,
    /// anyrt's runtime and sockets.
    Anyrt,
}

impl Sockets {
    pub(crate) const ALL: [Self; 3] = [Self::Native, Self::Inside, Self::Anyrt];

    const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Inside => "inside",
            Self::Anyrt => "anyrt",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Returns the command that serves.
pub(crate) fn serve_command(sockets: Sockets, backend: Backend, workers: usize) -> Command {
    let workers = workers.to_string();
    let mut command = Command::new(crate::places::this_program());
    command.args(["__serve", sockets.name(), backend.name(), &workers]);
    command.env("ASYNC_STD_THREAD_COUNT", &workers);
    command
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
    process: String,
}

impl Server {
    /// Starts `command`, which runs that of [`serve_command`].
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| fail(format!("{name}: {error}")))?;
        let output = child.stdout.take().ok_or_else(|| fail("no output"))?;
        let mut started = Self {
            child,
            output: BufReader::new(output),
            address: String::new(),
            process: String::new(),
        };
        started.process = started.line()?;
        started.address = started.line()?;
        Ok(started)
    }

    /// Returns the process that serves, which need not be the child.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Sends requests by a client over `connections` for `time`, on the cores of the server's
    /// `workers`.
    pub(crate) fn ask(&self, workers: usize, connections: usize, time: Duration) -> Result<()> {
        let ask = Ask {
            connections,
            pace: Pace::Closed,
            time,
        };
        let cores: &[usize] = if workers == 1 { &[0] } else { &[0, 1] };
        let status = client(cores, &self.address, Dialogue::Echo, ask)?
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(fail("the client failed"))
        }
    }

    /// Ends the server and returns the number of its answers.
    pub(crate) fn end(mut self) -> Result<f64> {
        drop(self.child.stdin.take());
        let answers = self.line()?.parse()?;
        self.child.wait()?;
        Ok(answers)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
