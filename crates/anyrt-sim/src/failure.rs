//! Why a simulation failed, with what is needed to replay it.

use std::fmt;
use std::time::Duration;

/// A simulation that cannot go on, or whose outcome is wrong whatever the program says.
#[derive(Debug, Clone)]
pub struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    pub(crate) step: u64,
    pub(crate) message: String,
    pub(crate) place: Option<String>,
    pub(crate) foreign_wakes: u64,
}

/// What kind of [`Failure`] it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Nothing is ready, and neither a timer nor a message is under way: all tasks wait for ever.
    Deadlock,
    /// Tasks wake each other, or themselves, over and over, and nothing else happens.
    Livelock,
    /// A blocking job waits for something outside of the simulation and does not give up its turn.
    Stuck,
    /// The main future of a host or a client panicked.
    Panic,
    /// The time limit of the simulation has passed.
    TimeLimit,
}

impl Failure {
    /// Returns the kind of failure.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns what happened, without the seed and the time.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the place of the panic in the source, if it is one and the panic hook has seen it.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Returns the seed that leads to it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the virtual time since the start at which it was noticed.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns the step at which it was noticed; see [`Step`](crate::Step).
    pub fn step(&self) -> u64 {
        self.step
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the simulation failed with seed {} at {:?} of virtual time, step {}: {}",
            self.seed, self.time, self.step, self.message
        )?;
        if self.foreign_wakes > 0 {
            write!(
                f,
                "\nnote: {} wake-ups came from threads outside of the simulation, so the seed alone does not \
                 replay this",
                self.foreign_wakes
            )?;
        }
        write!(
            f,
            "\nto replay it: {}={}",
            crate::runtime::SEED_VARIABLE,
            self.seed
        )
    }
}

impl std::error::Error for Failure {}

/// The place of the last panic of a thread. The payload does not contain it, so a panic hook notes it.
pub(crate) mod place {
    use std::cell::{Cell, RefCell};
    use std::panic::{set_hook, take_hook};
    use std::sync::Once;

    thread_local! {
        static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }

    /// Installs a hook that notes the places of panics and then calls the previous one. A hook that the program sets later
    /// may replace it.
    pub(crate) fn note_panics() {
        static HOOK: Once = Once::new();
        if HOOK.is_completed() || std::thread::panicking() {
            return;
        }
        HOOK.call_once(|| {
            let before = take_hook();
            set_hook(Box::new(move |panic| {
                let place = panic.location().map(ToString::to_string);
                let _ = LAST.try_with(|last| last.replace(place));
                if !QUIET.try_with(Cell::get).unwrap_or(false) {
                    before(panic);
                }
            }));
        });
    }

    /// Runs `f`; what panics on this thread meanwhile is not printed.
    pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
        struct Loud(bool);
        impl Drop for Loud {
            fn drop(&mut self) {
                QUIET.set(self.0);
            }
        }
        note_panics();
        let _loud = Loud(QUIET.replace(true));
        f()
    }

    pub(crate) fn is_quiet() -> bool {
        QUIET.get()
    }

    pub(crate) fn take() -> Option<String> {
        LAST.try_with(RefCell::take).ok().flatten()
    }
}
