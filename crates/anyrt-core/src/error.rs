//! The errors of anyrt. I/O errors are [`std::io::Error`]. The contract covers their kind; the
//! errno is present if a system call failed, and may be missing if a runtime found without one that
//! a call would block.

use std::any::Any;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use crate::id::TaskId as Id;

/// A task was cancelled or panicked.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinHandle, error::JoinError};
///
/// /// The value of a task; its panic goes on in the caller.
/// async fn join<T>(task: impl JoinHandle<T>) -> Option<T> {
///     match task.await {
///         Ok(value) => Some(value),
///         Err(error) if error.is_cancelled() => None,
///         Err(error) => std::panic::resume_unwind(error.into_panic()),
///     }
/// }
/// ```
pub struct JoinError {
    id: Id,
    // The `Mutex` only makes the error `Sync`.
    panic: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    /// For runtime authors: creates the error of a task that was aborted, or whose runtime ended
    /// first.
    pub fn cancelled(id: Id) -> Self {
        Self { id, panic: None }
    }

    /// For runtime authors: creates the error of a task that panicked with this payload.
    pub fn panicked(id: Id, payload: Box<dyn Any + Send>) -> Self {
        Self {
            id,
            panic: Some(Mutex::new(payload)),
        }
    }

    /// Returns `true` if the task was aborted or dropped because its runtime ended.
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Returns `true` if the task panicked while it ran or while it was dropped.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// Returns the id of the task.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// Panics if the task was cancelled; see [`try_into_panic`](Self::try_into_panic).
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("into_panic on an error that is no panic: {error}"),
        }
    }

    /// Returns the payload of the panic.
    ///
    /// # Errors
    /// Returns the error itself if the task was cancelled.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.panic {
            Some(payload) => Ok(payload
                .into_inner()
                .unwrap_or_else(|poisoned| poisoned.into_inner())),
            None => Err(self),
        }
    }

    /// Resumes the panic of the task, or panics because it was cancelled.
    ///
    /// # Panics
    /// Always.
    #[cold]
    #[track_caller]
    pub fn resume(self) -> ! {
        match self.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(cancelled) => panic!("{cancelled}"),
        }
    }

    fn message(&self) -> Option<String> {
        let payload = self.panic.as_ref()?;
        let payload = payload
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_cancelled(), self.message()) {
            (true, _) => write!(f, "task {} was cancelled", self.id),
            (_, Some(message)) => write!(f, "task {} panicked with message {message:?}", self.id),
            (_, None) => write!(f, "task {} panicked", self.id),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_cancelled(), self.message()) {
            (true, _) => write!(f, "JoinError::Cancelled({:?})", self.id),
            (_, Some(message)) => write!(f, "JoinError::Panic({:?}, {message:?}, ...)", self.id),
            (_, None) => write!(f, "JoinError::Panic({:?}, ...)", self.id),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("deadline has elapsed")]
pub struct Elapsed(());

impl Elapsed {
    /// For runtime authors: creates the error.
    pub fn new() -> Self {
        Self(())
    }
}

impl Default for Elapsed {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Elapsed> for std::io::Error {
    fn from(_: Elapsed) -> Self {
        Self::from(std::io::ErrorKind::TimedOut)
    }
}

/// No runtime is current on this thread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no runtime is current on this thread: {hint}")]
pub struct NoRuntime {
    hint: String,
}

impl NoRuntime {
    /// For runtime authors: creates the error. `hint` tells the reader what to do.
    pub fn new(hint: impl Into<String>) -> Self {
        Self { hint: hint.into() }
    }
}

/// A runtime could not be built as configured.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The backend cannot honour an option. Options are never silently ignored.
    #[error("the {backend} runtime cannot honour `{option}`: {why}")]
    Unsupported {
        /// The backend's name.
        backend: &'static str,
        /// The option's name, which is that of the builder method.
        option: &'static str,
        /// The reason, and what to do instead.
        why: &'static str,
    },
    /// An option has a value that no backend accepts.
    #[error("invalid value for `{option}`: {why}")]
    Invalid {
        /// The option's name, which is that of the builder method.
        option: &'static str,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// No backend with that name is enabled.
    #[error("unknown backend {name:?}; enabled are: {enabled}")]
    UnknownBackend {
        /// The requested name.
        name: String,
        /// The enabled names, separated by commas.
        enabled: String,
    },
    /// The system lacks what the backend needs.
    #[error("the {backend} runtime is not available here: {why}")]
    Unavailable {
        /// The backend's name.
        backend: &'static str,
        /// What is missing, and the remedy.
        why: String,
    },
    /// The system could not provide a thread, a descriptor or memory.
    #[error("could not start the {backend} runtime: {source}")]
    Io {
        /// The backend's name.
        backend: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl fmt::Debug for BuildError {
    /// Returns the complete message. Kept simple because this code is part of every program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildError({self})")
    }
}

impl From<BuildError> for std::io::Error {
    /// An error of the system is returned unchanged, with its errno.
    fn from(error: BuildError) -> Self {
        let error = match error {
            BuildError::Io { source, .. } if source.raw_os_error().is_some() => return source,
            error => error,
        };
        let kind = match &error {
            BuildError::Unsupported { .. } | BuildError::Unavailable { .. } => {
                std::io::ErrorKind::Unsupported
            }
            BuildError::Invalid { .. } | BuildError::UnknownBackend { .. } => {
                std::io::ErrorKind::InvalidInput
            }
            BuildError::Io { source, .. } => source.kind(),
        };
        Self::new(kind, error)
    }
}

/// A value could not be sent because the receiver was dropped or closed. Contains the value.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("channel closed")]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

/// A value could not be sent without waiting. Contains the value.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The channel is full.
    #[error("no available capacity")]
    Full(T),
    /// The receiver was dropped or closed.
    #[error("channel closed")]
    Closed(T),
}

impl<T> TrySendError<T> {
    /// Returns the value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

/// No value could be received without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// Nothing is queued.
    #[error("receiving on an empty channel")]
    Empty,
    /// Nothing is queued and all senders were dropped.
    #[error("receiving on a closed channel")]
    Disconnected,
}

/// The halves belong to different streams. Contains both.
#[derive(thiserror::Error)]
#[error("tried to reunite halves that are not from the same stream")]
pub struct ReuniteError<R, W>(pub R, pub W);

impl<R, W> fmt::Debug for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

/// The runtime of a socket or another descriptor has ended. It is the inner error of a
/// [`std::io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the runtime that this descriptor waits in has ended")]
#[non_exhaustive]
pub struct RuntimeEnded {}

impl RuntimeEnded {
    /// For runtime authors: creates the error.
    #[expect(clippy::new_without_default, reason = "an error has no default")]
    pub const fn new() -> Self {
        Self {}
    }
}

/// The deadline of a shutdown has passed. Tasks that are still running continue in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{tasks} tasks are still running {waited:?} after shutdown began")]
#[non_exhaustive]
pub struct ShutdownTimeout {
    /// The time limit.
    pub waited: Duration,
    /// The number of tasks that were still running.
    pub tasks: usize,
}

/// A paused clock cannot be paused again, and a running clock cannot be resumed or advanced. Some
/// clocks can never be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock is already paused.
    #[error("time is already frozen")]
    Paused,
    /// The clock is running.
    #[error("time is not frozen")]
    Running,
    /// The runtime is multi-threaded.
    #[error(
        "`time::pause()` requires a current-thread runtime: the clock of a multi-threaded one cannot be paused"
    )]
    NotPausable,
    /// The clock is that of a simulation. Contains the function that was called, and the remedy.
    #[error(
        "`time::{0}()` in a simulation: its clock is virtual already, and time passes only when nothing is ready; {1}"
    )]
    Virtual(&'static str, &'static str),
}
