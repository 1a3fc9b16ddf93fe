//! What an echo of 1 KB costs a server in system calls and switches of threads, natively and through anyrt.
//!
//! Counts, not times: they say the same on a busy machine. System calls are counted by `strace`, which is a run of its
//! own, since it slows the server down; switches are those that the system notes when a thread waits. Server and client
//! share a core, so the client asks when the server waits, however slow that is.

mod serve;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyrt_bench::{Backend, Via};
use lexopt::prelude::*;

use crate::fail;

pub(crate) use serve::serve;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Usage: anyrt-bench counts [--backend NAME]... [--workers N]... [--connections N]...

Serves an echo of 1 KB and counts, per request, the system calls of the server (needs strace) and how often a thread of
it waited. Workers are 1 and 2, connections 1, 8 and 64, unless given.";

/// How long a client asks.
const TIME: Duration = Duration::from_millis(600);

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
        let server = [via.name(), backend.name(), &workers.to_string()].map(str::to_owned);
        // A shard of Glommio's own shares no listener with another one.
        if via == Via::Native && backend == Backend::Glommio && workers > 1 {
            calls.push("–".to_owned());
            waits.push("–".to_owned());
            continue;
        }
        calls.push(system_calls(&server, connections)?);
        waits.push(format!("{:.2}", self::waits(&server, connections)?));
    }
    Ok((calls.join(" | "), waits.join(" | ")))
}

/// A server that is ended with its guard.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Starts `command` with the arguments of the server behind its own.
    fn start(mut command: Command, server: &[String; 3]) -> Result<Self> {
        let mut child = command
            .arg("__serve")
            .args(server)
            .env("ASYNC_STD_THREAD_COUNT", &server[2])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| fail(format!("{}: {error}", command.get_program().display())))?;
        let output = child.stdout.take().ok_or_else(|| fail("no output"))?;
        let mut started = Self {
            child,
            output: BufReader::new(output),
            address: String::new(),
        };
        started.address = started.line()?;
        Ok(started)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Has a client ask for a while.
    fn ask(&self, connections: usize) -> Result<()> {
        let status = Command::new(crate::this_program())
            .args(["__load", "0", &self.address, "echo"])
            .args([connections.to_string(), "0".to_owned()])
            .arg(TIME.as_micros().to_string())
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

/// The system calls of a server, per answer, and which of them come at least once in ten answers.
fn system_calls(server: &[String; 3], connections: usize) -> Result<String> {
    let summary = crate::target_directory()?.join(format!("counts-{}", std::process::id()));
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&summary);
    command.arg(crate::this_program());
    let running = Server::start(command, server)?;
    running.ask(connections)?;
    let answers = running.end()?;
    let table = std::fs::read_to_string(&summary)?;
    std::fs::remove_file(&summary)?;
    let calls: Vec<(&str, f64)> = table.lines().filter_map(line).collect();
    let all: f64 = calls.iter().map(|(_, count)| count).sum();
    let mut often: Vec<_> = calls
        .iter()
        .map(|(call, count)| (call, count / answers))
        .collect();
    often.retain(|(_, share)| *share >= 0.1);
    often.sort_by(|one, other| other.1.total_cmp(&one.1));
    let often: Vec<_> = often
        .iter()
        .map(|(call, share)| format!("{call} {share:.2}"))
        .collect();
    Ok(format!("{:.2} ({})", all / answers, often.join(", ")))
}

/// A line of strace's summary: `% time, seconds, usecs/call, calls, (errors,) name`.
fn line(line: &str) -> Option<(&str, f64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let name = *fields.last()?;
    let calls = fields.get(3)?.parse().ok()?;
    (name != "total").then_some((name, calls))
}

/// How often a thread of the server waited, per answer.
fn waits(server: &[String; 3], connections: usize) -> Result<f64> {
    let running = Server::start(Command::new(crate::this_program()), server)?;
    let process = running.child.id();
    let before = waits_of(process)?;
    running.ask(connections)?;
    let waits = waits_of(process)? - before;
    Ok(waits / running.end()?)
}

fn waits_of(process: u32) -> Result<f64> {
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
