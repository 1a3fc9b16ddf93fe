//! The reason why a simulation failed, and the data needed to replay it.

use std::fmt;
use std::time::Duration;

/// A simulation that cannot continue, or whose outcome is wrong whatever the program reports.
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

/// The kind of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Deadlock: nothing is ready, and no timer or message is pending.
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

    /// Returns the description, without the seed and the time.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the source location of the panic, if the failure is one and the panic hook has
    /// recorded it.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Returns the seed that reproduces it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the virtual time since the start at which it was detected.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns the step at which it was detected; see [`Step`](crate::Step).
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

/// The location of the last panic of a thread. The payload does not contain it, so a panic hook
/// records it.
pub(crate) mod place {
    use std::cell::{Cell, RefCell};
    use std::panic::{set_hook, take_hook};
    use std::sync::Once;

    thread_local! {
        static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }

    /// Installs a hook that records the locations of panics and then calls the previous hook. A
    /// hook that the program sets later may replace it.
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

    /// Runs `f` without printing its panics on this thread.
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
