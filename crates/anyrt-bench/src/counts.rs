//! What an echo of 1 KB costs a server in system calls and switches of threads, natively and through anyrt.
//!
//! Counts, not times: they say the same on a busy machine. System calls are counted by the kernel (`perf stat`), since a
//! tracer would slow the server down, and what it finds depends on who is faster; waits are those that the kernel notes of
//! each thread. One worker shares a core with the client, two have both cores.

mod serve;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyrt_bench::work::Dialogue;
use anyrt_bench::{Backend, Via};
use lexopt::prelude::*;

use crate::compare::{Ask, Pace, client};
use crate::fail;

pub(crate) use serve::serve;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Usage: anyrt-bench counts [--backend NAME]... [--workers N]... [--connections N]...

Serves an echo of 1 KB and counts, per request, the system calls of the server (needs perf, and the right to count them)
and how often a thread of it waited. Workers are 1 and 2, connections 1, 8 and 64, unless given.";

/// How long a client asks.
const TIME: Duration = Duration::from_millis(600);

const EVENT: &str = "raw_syscalls:sys_enter";

pub(crate) fn main(mut args: lexopt::Parser) -> Result<()> {
    let (mut backends, mut workers, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(arg) = args.next()? {
        match arg {
            Long("backend") => {
                let name = args.value()?.string()?;
                backends.push(Backend::parse(&name).ok_or_else(|| fail("no such backend"))?);
            }
            Long("workers") => workers.push(args.value()?.parse::<usize>()?),
            Long("connections") => connections.push(args.value()?.parse::<usize>()?),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if backends.is_empty() {
        backends.extend(Backend::ALL);
    }
    if workers.is_empty() {
        workers.extend([1, 2]);
    }
    if connections.is_empty() {
        connections.extend([1, 8, 64]);
    }
    println!(
        "| runtime | workers | connections | system calls per request: native | anyrt | waits per request: native | anyrt |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for &backend in &backends {
        for &workers in &workers {
            for &connections in &connections {
                let (calls, waits) = row(backend, workers, connections)?;
                println!("| {backend} | {workers} | {connections} | {calls} | {waits} |");
            }
        }
    }
    Ok(())
}

fn row(backend: Backend, workers: usize, connections: usize) -> Result<(String, String)> {
    let (mut calls, mut waits) = (Vec::new(), Vec::new());
    for via in [Via::Native, Via::Facade] {
        // A shard of Glommio's own shares no listener with another one.
        if via == Via::Native && backend == Backend::Glommio && workers > 1 {
            calls.push("–".to_owned());
            waits.push("–".to_owned());
            continue;
        }
        let (system_calls, waited) = count(via, backend, workers, connections)?;
        calls.push(format!("{system_calls:.2}"));
        waits.push(format!("{waited:.2}"));
    }
    Ok((calls.join(" | "), waits.join(" | ")))
}

/// System calls of a server, and waits of its threads, per answer.
fn count(via: Via, backend: Backend, workers: usize, connections: usize) -> Result<(f64, f64)> {
    let summary = crate::target_directory()?.join(format!("counts-{}", std::process::id()));
    let server = Server::start(&summary, via, backend, workers)?;
    let before = waits_of(&server.process)?;
    server.ask(if workers == 1 { &[0] } else { &[0, 1] }, connections)?;
    let waits = waits_of(&server.process)? - before;
    let answers = server.end()?;
    let table = std::fs::read_to_string(&summary)?;
    std::fs::remove_file(&summary)?;
    let line = table.lines().find(|line| line.contains(EVENT));
    let calls = line.and_then(|line| line.split(',').next()?.parse::<f64>().ok());
    let calls = calls.ok_or_else(|| fail(format!("perf counts no `{EVENT}`: {table}")))?;
    Ok((calls / answers, waits / answers))
}

/// A server that is ended with its guard.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
    process: String,
}

impl Server {
    /// Starts it under perf, which writes to `summary` when it ends.
    fn start(summary: &Path, via: Via, backend: Backend, workers: usize) -> Result<Self> {
        let workers = workers.to_string();
        let mut child = Command::new("perf")
            .args(["stat", "-x", ",", "-e", EVENT, "-o"])
            .arg(summary)
            .arg("--")
            .arg(crate::this_program())
            .args(["__serve", via.name(), backend.name(), &workers])
            .env("ASYNC_STD_THREAD_COUNT", &workers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| fail(format!("perf: {error}")))?;
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

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Has a client ask for a while.
    fn ask(&self, cores: &[usize], connections: usize) -> Result<()> {
        let ask = Ask {
            connections,
            pace: Pace::Closed,
            time: TIME,
        };
        let status = client(cores, &self.address, Dialogue::Echo, ask)?
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(fail("the client failed"))
        }
    }

    /// Gives how often it has answered.
    fn end(mut self) -> Result<f64> {
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

/// How often the threads of a process have waited so far.
fn waits_of(process: &str) -> Result<f64> {
    let mut waits = 0.0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        waits += line.map_or(Ok(0.0), |count| count.trim().parse())?;
    }
    Ok(waits)
}
