//! Measures the cost of anyrt compared with the native runtimes, and compares the runtimes on this
//! machine.
#![deny(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the real time"
)]

#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod counts;
#[cfg(target_os = "linux")]
mod cpu;
mod docs;
#[cfg(target_os = "linux")]
mod echo;
mod fail;
mod overhead;
mod places;
mod statistics;

use std::error::Error;
use std::process::ExitCode;

use fail::fail;
use lexopt::prelude::*;

const HELP: &str = "\
Usage: anyrt-bench <command> [options]

  overhead   instructions and allocations of each operation, compared with the native runtime
  compare    compares the four runtimes on this machine, with an HTML report
  counts     system calls and thread switches of an echo server, natively and through anyrt
  cpu        CPU time per request: the native runtime, its sockets inside anyrt's runtime, anyrt's sockets

`anyrt-bench <command> --help` lists the options.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut args = lexopt::Parser::from_env();
    let command = match args.next()? {
        Some(Value(command)) => command.string()?,
        Some(Long("help") | Short('h')) | None => {
            println!("{HELP}");
            return Ok(());
        }
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "overhead" => overhead::main(args),
        #[cfg(target_os = "linux")]
        "compare" => compare::main(args),
        #[cfg(target_os = "linux")]
        "counts" => counts::main(args),
        #[cfg(target_os = "linux")]
        "cpu" => cpu::main(args),
        #[cfg(target_os = "linux")]
        "__serve" => echo::serve(rest(args)?.into_iter()),
        #[cfg(target_os = "linux")]
        "__work" => compare::work_child(rest(args)?.into_iter()),
        #[cfg(target_os = "linux")]
        "__load" => compare::load_child(rest(args)?.into_iter()),
        "__time" => {
            let (backend, row) = (args.value()?.string()?, args.value()?.string()?);
            overhead::time_child(&backend, &row).ok_or_else(|| fail("no such row"))
        }
        _ => Err(fail(format!("no command `{command}`\n\n{HELP}"))),
    }
}

/// Returns the arguments of a child process.
#[cfg(target_os = "linux")]
fn rest(mut args: lexopt::Parser) -> Result<Vec<String>, Box<dyn Error>> {
    let mut rest = Vec::new();
    for arg in args.raw_args()? {
        rest.push(arg.string()?);
    }
    Ok(rest)
}
