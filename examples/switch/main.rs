//! One unmodified service on every enabled runtime in turn, under real TCP load.
//!
//! ```text
//! cargo run --release --example switch                       # every runtime, 3 s each
//! cargo run --release --example switch -- --seconds 10 --connections 256
//! ANYRT_BACKEND=smol cargo run --release --example switch    # one of them
//! cargo run --release --example switch --no-default-features --features glommio
//! ```
//!
//! `service.rs` is the application, which names no runtime. `load.rs` is the judge: plain threads
//! and std's sockets, the same for every runtime. It checks every byte.

mod load;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use anyrt::runtime::{Backend, Builder};

struct Options {
    seconds: f64,
    connections: usize,
}

impl Options {
    fn parse() -> Result<Self, String> {
        let mut options = Self {
            seconds: 3.0,
            connections: 64,
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seconds" => {
                    options.seconds = value.parse().map_err(|e| format!("{name}: {e}"))?
                }
                "--connections" => {
                    options.connections = value.parse().map_err(|e| format!("{name}: {e}"))?;
                }
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if !(options.seconds > 0.0 && options.seconds <= 3600.0) || options.connections == 0 {
            return Err("--seconds must be in 0..=3600 and --connections at least 1".into());
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("switch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u64, Box<dyn std::error::Error>> {
    let options = Options::parse()
        .map_err(|error| format!("{error}\nusage: switch [--seconds S] [--connections N]"))?;
    let backends = match Backend::from_env()? {
        Some(backend) => vec![backend],
        None => Backend::enabled().to_vec(),
    };
    if backends.is_empty() {
        return Err("no runtime is enabled: build with --features tokio,smol,…".into());
    }
    println!(
        "{} connections, {} B payloads, {} s on each runtime\n",
        options.connections,
        load::PAYLOAD,
        options.seconds
    );
    let mut rows = Vec::new();
    for backend in backends {
        rows.push((backend, measure(backend, &options)));
    }

    println!(
        "\n{:<10} {:>12} {:>10} {:>10} {:>10} {:>8}",
        "runtime", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "errors"
    );
    let mut errors = 0;
    for (backend, row) in &rows {
        match row {
            Ok(report) => {
                errors += report.errors;
                println!("{:<10} {report}", backend.name());
                for message in &report.messages {
                    println!("           {message}");
                }
            }
            Err(error) => {
                errors += 1;
                println!("{:<10} could not run: {error}", backend.name());
            }
        }
    }
    Ok(errors)
}

fn measure(
    backend: Backend,
    options: &Options,
) -> Result<load::Report, Box<dyn std::error::Error>> {
    let runtime = Builder::new_multi_thread().backend(backend).build()?;
    let duration = Duration::from_secs_f64(options.seconds);
    runtime.block_on(async {
        let service = service::Service::start("127.0.0.1:0").await?;
        let address = service.local_addr();
        let connections = options.connections;
        let report = anyrt::task::spawn_blocking(move || {
            load::drive(backend.name(), address, connections, duration)
        })
        .await?;
        service.stop().await?;
        Ok(report)
    })
}
