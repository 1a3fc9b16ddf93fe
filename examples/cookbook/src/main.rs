//! Recipes for async programs. Each is one file, runs on every backend and checks its own output.
//!
//! ```text
//! cargo run -p anyrt-cookbook                              # lists the recipes
//! cargo run -p anyrt-cookbook -- actor                     # runs one
//! ANYRT_BACKEND=smol cargo run -p anyrt-cookbook -- actor  # on Smol
//! cargo run -p anyrt-cookbook -- --all                     # runs all on every backend of the build
//! ```
//!
//! One binary contains all of them, since linking thirty would take longer than everything else. To
//! use a recipe as a separate program, copy its file to `src/main.rs`.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyrt::runtime::Backend;

mod actor;
mod batcher;
mod bridge;
mod buffer_pool;
mod builder;
mod cancellation;
mod channels;
mod connection_pool;
mod custom_future;
mod echo;
mod error_context;
mod files;
#[cfg(unix)]
mod graceful_shutdown;
mod hybrid;
mod join_set;
mod locks;
mod metrics;
mod multiplexing;
mod pin;
mod pipeline;
mod priority_queue;
mod producer_consumer;
mod rate_limiter;
mod request_ids;
mod streams;
mod tasks;
mod time_limits;
mod tracing_spans;
mod waker;
mod worker_pool;

/// Longer than any recipe takes on a busy machine. A recipe that still runs has hung.
const LIMIT: Duration = Duration::from_secs(120);

type Recipe = (&'static str, &'static str, fn() -> anyhow::Result<()>);

const RECIPES: &[Recipe] = &[
    ("tasks", "concurrent, blocking and local tasks", tasks::main),
    (
        "join_set",
        "a changing set of tasks, joined or aborted together",
        join_set::main,
    ),
    (
        "time_limits",
        "timeouts that stop the work, not only the wait",
        time_limits::main,
    ),
    (
        "cancellation",
        "by select!, by token, by abort",
        cancellation::main,
    ),
    (
        "channels",
        "mpsc, oneshot, broadcast, watch",
        channels::main,
    ),
    (
        "locks",
        "mutex, rwlock, semaphore, notify, barrier",
        locks::main,
    ),
    ("echo", "a TCP server and its clients", echo::main),
    (
        "producer_consumer",
        "many producers, back pressure, a clean end",
        producer_consumer::main,
    ),
    ("pipeline", "stages joined by channels", pipeline::main),
    (
        "multiplexing",
        "several channels at once",
        multiplexing::main,
    ),
    (
        "actor",
        "a bank that owns its accounts, supervised",
        actor::main,
    ),
    ("request_ids", "task-local values", request_ids::main),
    ("streams", "streams and FuturesUnordered", streams::main),
    (
        "files",
        "buffered files, lines, a safe replace",
        files::main,
    ),
    (
        "rate_limiter",
        "so many per second, with a burst",
        rate_limiter::main,
    ),
    ("batcher", "batches by size and by age", batcher::main),
    (
        "worker_pool",
        "a fixed number of workers, one queue",
        worker_pool::main,
    ),
    (
        "priority_queue",
        "urgent first, fair within one priority",
        priority_queue::main,
    ),
    (
        "buffer_pool",
        "buffers reused by size class",
        buffer_pool::main,
    ),
    (
        "connection_pool",
        "SQLite connections through blocking jobs",
        connection_pool::main,
    ),
    ("builder", "settings that are checked once", builder::main),
    (
        "error_context",
        "thiserror in the library, anyhow in the program",
        error_context::main,
    ),
    #[cfg(unix)]
    (
        "graceful_shutdown",
        "by signal, with a deadline",
        graceful_shutdown::main,
    ),
    (
        "metrics",
        "Prometheus metrics of requests and runtime",
        metrics::main,
    ),
    (
        "tracing_spans",
        "spans that follow a request",
        tracing_spans::main,
    ),
    ("hybrid", "two runtimes in one program", hybrid::main),
    (
        "bridge",
        "code that needs Tokio, inside any runtime",
        bridge::main,
    ),
    ("custom_future", "poll and its duties", custom_future::main),
    ("pin", "what Pin promises, and projection", pin::main),
    ("waker", "a waker and an executor by hand", waker::main),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            for (name, about, _) in RECIPES {
                println!("{name:18} {about}");
            }
            ExitCode::SUCCESS
        }
        ["--all"] => run_all(),
        [name] => match RECIPES.iter().find(|recipe| recipe.0 == name) {
            Some((.., recipe)) => run(recipe),
            None => {
                eprintln!("no recipe is called {name}; without an argument, all are listed");
                ExitCode::from(2)
            }
        },
        _ => {
            eprintln!("usage: anyrt-cookbook [NAME | --all]");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a watchdog waits for the time")]
fn run(recipe: &fn() -> anyhow::Result<()>) -> ExitCode {
    std::thread::spawn(|| {
        std::thread::sleep(LIMIT);
        eprintln!("still running after {LIMIT:?}");
        std::process::exit(3);
    });
    match recipe() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Runs each recipe in a separate process, since some handle signals or install a global
/// subscriber.
///
/// They run on the backend that `ANYRT_BACKEND` names, or else on every backend of the build.
fn run_all() -> ExitCode {
    let backends = match std::env::var("ANYRT_BACKEND") {
        Ok(name) => vec![name],
        Err(_) => Backend::enabled()
            .iter()
            .map(|b| b.name().to_string())
            .collect(),
    };
    let mut failed = Vec::new();
    for backend in &backends {
        println!("== {backend}");
        for (name, ..) in RECIPES {
            let output = std::env::current_exe().and_then(|program| {
                Command::new(program)
                    .arg(name)
                    .env("ANYRT_BACKEND", backend)
                    .output()
            });
            match output {
                Ok(output) if output.status.success() => {
                    print!("{}", String::from_utf8_lossy(&output.stdout));
                }
                Ok(output) => {
                    eprint!("{}", String::from_utf8_lossy(&output.stdout));
                    eprint!("{}", String::from_utf8_lossy(&output.stderr));
                    failed.push(format!("{name} on {backend}: {}", output.status));
                }
                Err(error) => failed.push(format!("{name} on {backend}: {error}")),
            }
        }
    }
    for failure in &failed {
        eprintln!("FAILED: {failure}");
    }
    println!(
        "{} recipes on {}: {} failed",
        RECIPES.len(),
        backends.join(", "),
        failed.len()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
