//! `counts`: system calls and thread switches of a server per echo of 1 KB, natively and through
//! anyrt.
//!
//! Counts do not depend on other load, as times do. The kernel counts system calls (`perf stat`),
//! because a tracer would slow the server down and change the result; it also counts the waits of
//! each thread. One worker shares a core with the client, two have both cores.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyrt_bench::Backend;
use lexopt::prelude::*;

use crate::echo::{Result, Server, Sockets, serve_command};
use crate::fail::fail;

const HELP: &str = "\
Usage: anyrt-bench counts [--backend NAME]... [--workers N]... [--connections N]...

Serves an echo of 1 KB and counts, per request, the system calls of the server (needs perf, and the permission to count
them) and the waits of its threads. Defaults: 1 and 2 workers, 1, 8 and 64 connections.";

/// The duration of a client's load.
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
    for sockets in [Sockets::Native, Sockets::Anyrt] {
        // A shard of Glommio's own shares no listener with another one.
        if sockets == Sockets::Native && backend == Backend::Glommio && workers > 1 {
            calls.push("–".to_owned());
            waits.push("–".to_owned());
            continue;
        }
        let (system_calls, waited) = count(sockets, backend, workers, connections)?;
        calls.push(format!("{system_calls:.2}"));
        waits.push(format!("{waited:.2}"));
    }
    Ok((calls.join(" | "), waits.join(" | ")))
}

/// Returns the system calls of a server, and the waits of its threads, per answer.
fn count(
    sockets: Sockets,
    backend: Backend,
    workers: usize,
    connections: usize,
) -> Result<(f64, f64)> {
    let summary = crate::places::target_directory()?.join(format!("counts-{}", std::process::id()));
    let server = Server::start(under_perf(
        &summary,
        serve_command(sockets, backend, workers),
    ))?;
    let before = waits_of(server.process())?;
    server.ask(workers, connections, TIME)?;
    let waits = waits_of(server.process())? - before;
    let answers = server.end()?;
    let table = std::fs::read_to_string(&summary)?;
    std::fs::remove_file(&summary)?;
    let line = table.lines().find(|line| line.contains(EVENT));
    let calls = line.and_then(|line| line.split(',').next()?.parse::<f64>().ok());
    let calls = calls.ok_or_else(|| fail(format!("perf counts no `{EVENT}`: {table}")))?;
    Ok((calls / answers, waits / answers))
}

/// Returns the command under perf, which writes to `summary` when it ends.
fn under_perf(summary: &Path, command: Command) -> Command {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", EVENT, "-o"]);
    perf.arg(summary).arg("--");
    perf.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        perf.env(name, value.unwrap_or_default());
    }
    perf
}

/// Returns the number of waits of a process's threads so far.
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
