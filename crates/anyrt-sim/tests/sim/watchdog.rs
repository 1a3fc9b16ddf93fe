//! Ends a test that hangs, by its name.

use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far more than any test needs.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs `test` on a thread of its own; when it does not end, the process does.
pub(crate) fn watched(name: &'static str, test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            test();
            let _ = done.send(());
        })
        .expect("a thread for the test");
    match ended.recv_timeout(LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            eprintln!("{name} hangs: no end after {LIMIT:?}");
            process::abort();
        }
        _ => {
            if let Err(payload) = thread.join() {
                std::panic::resume_unwind(payload);
            }
        }
    }
}

/// Makes a test of a function: `watched! { fn name() { … } }`.
macro_rules! tests {
    ($(fn $name:ident() $body:block)*) => {
        $(
            #[test]
            fn $name() {
                $crate::watchdog::watched(stringify!($name), || $body);
            }
        )*
    };
}
pub(crate) use tests;
