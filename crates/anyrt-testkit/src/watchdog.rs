//! Runs each case on its own thread, so that a hang or a panic fails only that case.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Completion, Failed};

/// The environment variable with the time limit of a case, in seconds.
const TIMEOUT_VARIABLE: &str = "ANYRT_TESTKIT_TIMEOUT_SECS";
/// Generous, for a shared machine with two cores that runs other cases at the same time.
const TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    /// Panics on this thread are intended.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// This thread runs a case.
    static REPORT: RefCell<Option<Arc<Report>>> = const { RefCell::new(None) };
}

/// The state of a running case.
#[derive(Default)]
struct Report {
    /// Its first panic, with the location.
    panic: Mutex<Option<String>>,
    /// Its last activity.
    phase: Mutex<&'static str>,
}

/// The panic payload of a case that does not apply.
struct Skip(String);

/// Ends the case, which is reported as ignored with the reason.
pub(crate) fn skip(reason: String) -> ! {
    std::panic::resume_unwind(Box::new(Skip(reason)))
}

/// Records what the case is doing, for the message if it hangs.
pub(crate) fn phase(phase: &'static str) {
    REPORT.with_borrow(|report| {
        if let Some(report) = report {
            *report.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        }
    });
}

/// Returns the time limit of a case.
///
/// # Errors
/// Returns a message if the variable is not a number of seconds.
pub(crate) fn timeout() -> Result<Duration, String> {
    match std::env::var(TIMEOUT_VARIABLE) {
        Err(_) => Ok(TIMEOUT),
        Ok(text) => text
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| format!("{TIMEOUT_VARIABLE}={text:?} is no number of seconds")),
    }
}

/// Runs `case` for at most `timeout`. On expiry its thread is abandoned.
pub(crate) fn run(
    name: &str,
    timeout: Duration,
    case: impl FnOnce() + Send + 'static,
) -> Result<Completion, Failed> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install_hook);

    let report = Arc::new(Report::default());
    let (done, result) = mpsc::channel();
    let reported = Arc::clone(&report);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            REPORT.set(Some(reported));
            let outcome = catch_unwind(AssertUnwindSafe(case));
            // The receiver is gone if the case took too long.
            let _ = done.send(outcome);
        })
        .map_err(|error| format!("no thread for the case: {error}"))?;
    match result.recv_timeout(timeout) {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(payload)) => match payload.downcast::<Skip>() {
            Ok(skip) => Ok(Completion::ignored_with(skip.0)),
            Err(payload) => Err(report.failure(name, payload.as_ref()).into()),
        },
        Err(RecvTimeoutError::Timeout) => Err(report.hang(name, timeout).into()),
        Err(RecvTimeoutError::Disconnected) => Err(format!("{name}: its thread died").into()),
    }
}

impl Report {
    fn failure(&self, name: &str, payload: &(dyn Any + Send)) -> String {
        match self.panic() {
            Some(panic) => format!("{name} {panic}"),
            // The panic came from another thread (printed there), or was passed on by
            // `resume_unwind`.
            None => match text_of(payload) {
                Some(text) => format!("{name} panicked:\n{text}"),
                None => format!("{name} panicked with something that is no text"),
            },
        }
    }

    fn hang(&self, name: &str, timeout: Duration) -> String {
        let phase = *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let panic = match self.panic() {
            Some(panic) => format!("; before that it {panic}"),
            None => String::new(),
        };
        let phase = if phase.is_empty() {
            "inside the case"
        } else {
            phase
        };
        format!("{name} hangs: no end after {timeout:?} ({TIMEOUT_VARIABLE}), {phase}{panic}")
    }

    fn panic(&self) -> Option<String> {
        self.panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Runs `f`. Its panics on this thread are neither printed nor reported.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    let outer = QUIET.replace(true);
    let value = f();
    QUIET.set(outer);
    value
}

/// Returns the text of a panic's payload.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    match payload.downcast_ref::<&str>() {
        Some(text) => Some((*text).to_owned()),
        None => payload.downcast_ref::<String>().cloned(),
    }
}

fn install_hook() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A thread that is exiting has no thread locals, and nothing to hide.
        if QUIET.try_with(Cell::get).unwrap_or(false) {
            return;
        }
        if !note(info) {
            print(info);
        }
    }));
}

/// Keeps the panic for the report, if this thread runs a case.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let Ok(Some(report)) = REPORT.try_with(|report| report.borrow().clone()) else {
        return false;
    };
    let text = info.payload_as_str().unwrap_or("(no text)");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    report
        .panic
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(|| format!("panicked at {place}:\n{text}"));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gate, panic_message, panic_on_purpose};

    const LONG: Duration = Duration::from_secs(600);

    fn message(result: Result<Completion, Failed>) -> String {
        match result {
            Err(failed) => failed.message().unwrap_or_default().to_owned(),
            Ok(_) => panic!("it ought to have failed"),
        }
    }

    #[test]
    fn a_case_that_returns_has_passed() {
        assert!(matches!(
            run("fine", LONG, || {}),
            Ok(Completion::Completed)
        ));
    }

    #[test]
    fn a_case_that_hangs_fails_by_name_and_tells_what_it_was_doing() {
        let never = Gate::new();
        let result = run("x::hangs", Duration::from_millis(20), move || {
            phase("dropping the runtime");
            never.wait_blocking();
        });
        let message = message(result);
        for part in ["x::hangs", "dropping the runtime", TIMEOUT_VARIABLE] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_the_first_one_counts() {
        let result = run("x::panics", LONG, || {
            struct Second;
            impl Drop for Second {
                fn drop(&mut self) {
                    let _ = catch_unwind(|| panic!("the second"));
                }
            }
            let _second = Second;
            panic!("the first");
        });
        let message = message(result);
        for part in ["x::panics", file!(), "the first"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("the second"), "{message}");
    }

    #[test]
    fn a_panic_passed_on_from_another_thread_is_told_with_its_text() {
        let result = run("x::passes_on", LONG, || panic_on_purpose("from elsewhere"));
        assert!(message(result).contains("from elsewhere"));
    }

    #[test]
    fn a_panic_that_was_expected_is_not_the_reason_of_a_later_one() {
        let result = run("x::later", LONG, || {
            assert_eq!(panic_message(|| panic!("expected")), "expected");
            panic!("the reason");
        });
        let message = message(result);
        assert!(message.contains("the reason") && !message.contains("expected"));
    }

    #[test]
    fn a_case_that_does_not_apply_is_ignored_with_its_reason() {
        let result = run("x::skips", LONG, || skip("needs wings".to_owned()));
        match result {
            Ok(Completion::Ignored { reason }) => {
                assert_eq!(reason.as_deref(), Some("needs wings"))
            }
            _ => panic!("it ought to be ignored"),
        }
    }
}
