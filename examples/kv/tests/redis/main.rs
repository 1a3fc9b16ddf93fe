//! The server, driven by the real `redis-cli` and `redis-benchmark` and by raw bytes, on each
//! backend.
//!
//! `scripts/check kv` installs the tools. Without them their cases are reported as ignored, with a
//! warning.

mod server;

mod protocol;
mod tools;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Backend;

use server::Server;

/// Ends a test that hangs.
const WATCHDOG: Duration = Duration::from_secs(180);

type Case = (&'static str, fn(&mut Server));

fn main() {
    let arguments = Arguments::from_args();
    let missing = tools::missing();
    if let Some(missing) = &missing {
        eprintln!(
            "WARNING: {missing} not found: the server is NOT tested with Redis's own clients."
        );
        eprintln!(
            "WARNING: `scripts/check kv` installs them (Debian: apt-get install redis-tools)."
        );
    }
    let mut trials = Vec::new();
    for &backend in Backend::enabled() {
        for &case in protocol::CASES {
            trials.push(trial(backend, case));
        }
        for &case in tools::CASES {
            trials.push(trial(backend, case).with_ignored_flag(missing.is_some()));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(backend: Backend, (name, case): Case) -> Trial {
    Trial::test(format!("{backend}::{name}"), move || {
        let (ended, end) = mpsc::channel::<()>();
        let run = thread::spawn(move || {
            // Dropped at the end, even by a panic, which is noticed as well.
            let _ended = ended;
            let mut server = Server::start(backend);
            case(&mut server);
        });
        if end.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            return Err(Failed::from(format!("has not ended after {WATCHDOG:?}")));
        }
        run.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Failed::from(text.unwrap_or("panicked").to_owned())
        })
    })
}
