//! CPU time that a server spends per request of 1 KB: the native runtime, the native runtime's own
//! sockets inside anyrt's runtime, and anyrt's sockets.
//!
//! The system reports how long each thread ran, so other programs disturb these figures less than
//! wall-clock times. The three take turns, and each figure is the minimum of all rounds.

mod adopted;

use std::time::Duration;

use anyrt_bench::Backend;
use lexopt::prelude::*;

use crate::echo::{Result, Server, Sockets, serve_command};
use crate::fail::fail;

const HELP: &str = "\
Usage: anyrt-bench cpu [--backend NAME]... [--connections N]... [--rounds N]

Serves an echo of 1 KB on two workers and prints the CPU time of the server per request, in microseconds, and the ratio
to the native runtime. For Glommio: a timer and a file read of Glommio's own, in an executor of the application and in
one that anyrt has adopted. Defaults: 1 and 64 connections, 5 rounds.";

const WORKERS: usize = 2;

/// The duration of a client's load in each round.
const TIME: Duration = Duration::from_millis(1500);

pub(crate) fn main(mut args: lexopt::Parser) -> Result<()> {
    let (mut backends, mut connections, mut rounds) = (Vec::new(), Vec::new(), 5);
    while let Some(arg) = args.next()? {
        match arg {
            Long("backend") => {
                let name = args.value()?.string()?;
                backends.push(Backend::parse(&name).ok_or_else(|| fail("no such backend"))?);
            }
            Long("connections") => connections.push(args.value()?.parse::<usize>()?),
            Long("rounds") => rounds = args.value()?.parse::<usize>()?.max(1),
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
    if connections.is_empty() {
        connections.extend([1, 64]);
    }
    println!(
        "| runtime | connections | native, µs | its sockets inside anyrt | | anyrt's sockets | |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for &backend in &backends {
        if backend == Backend::Glommio {
            continue;
        }
        for &connections in &connections {
            echo(backend, connections, rounds)?;
        }
    }
    if backends.contains(&Backend::Glommio) {
        println!();
        adopted::print(rounds)?;
    }
    Ok(())
}

fn echo(backend: Backend, connections: usize, rounds: usize) -> Result<()> {
    let mut least = [f64::INFINITY; Sockets::ALL.len()];
    for _ in 0..rounds {
        for (least, sockets) in least.iter_mut().zip(Sockets::ALL) {
            *least = least.min(per_request(sockets, backend, connections)?);
        }
    }
    let [native, inside, anyrt] = least;
    println!(
        "| {backend} | {connections} | {native:.2} | {inside:.2} | {:.2} | {anyrt:.2} | {:.2} |",
        inside / native,
        anyrt / native
    );
    Ok(())
}

/// Returns microseconds of CPU time of the server per answer.
fn per_request(sockets: Sockets, backend: Backend, connections: usize) -> Result<f64> {
    let server = Server::start(serve_command(sockets, backend, WORKERS))?;
    let before = run_time(server.process())?;
    server.ask(WORKERS, connections, TIME)?;
    let spent = run_time(server.process())? - before;
    Ok(spent / 1000.0 / server.end()?)
}

/// Returns how long the threads of a process have run so far, in nanoseconds.
fn run_time(process: &str) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // The first number of proc(5)'s schedstat is the time spent on the CPU.
        let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let spent = schedstat.split_whitespace().next().map(str::parse::<f64>);
        nanoseconds += spent.ok_or_else(|| fail("no time in schedstat"))??;
    }
    Ok(nanoseconds)
}
