//! Which backend is used where the program names none, and the names of backends.

use std::fmt;
use std::str::FromStr;

use anyrt_core::BuildError;

use super::{Backend, Current, ENABLED, NONE_ENABLED, PINNED_IS_ABSENT, names};

impl Backend {
    /// Returns the enabled backends in the order of preference: Tokio, Smol, async-std, Glommio.
    /// The simulator, which is never chosen by preference, is not included.
    pub const fn enabled() -> &'static [Self] {
        match ENABLED {
            [preferred @ .., Self::Sim] => preferred,
            preferred => preferred,
        }
    }

    /// Returns `true` if the feature of the backend is enabled.
    pub const fn is_enabled(self) -> bool {
        Current::of(self).is_some()
    }

    /// Returns the backend that the environment variable `ANYRT_BACKEND` names, or `None` if it is
    /// unset or empty.
    ///
    /// # Errors
    /// Returns [`BuildError::UnknownBackend`] if no enabled backend has that name. The message
    /// lists the enabled ones.
    pub fn from_env() -> Result<Option<Self>, BuildError> {
        match std::env::var_os("ANYRT_BACKEND") {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse().map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the backend of a runtime that names none: that of `ANYRT_BACKEND`, or else
    /// [`DEFAULT`].
    pub(crate) fn preferred() -> Result<Self, BuildError> {
        match (Self::from_env()?, DEFAULT) {
            (Some(backend), _) | (None, Some(backend)) => Ok(backend),
            (None, None) => Err(BuildError::Unavailable {
                backend: "anyrt",
                why: match ENABLED {
                    [] => NONE_ENABLED.to_owned(),
                    _ => ONLY_SIM_ENABLED.to_owned(),
                },
            }),
        }
    }

    /// Returns the kind, or an error that names the enabled ones.
    pub(crate) fn require(self) -> Result<Current, BuildError> {
        Current::of(self).ok_or_else(|| unknown(self.name()))
    }
}

/// The backend that `--cfg anyrt_backend="…"` names, or else the first enabled one.
const DEFAULT: Option<Backend> = match option_env!("ANYRT_BACKEND_CFG") {
    Some(name) => Some(pinned(name)),
    None => Backend::enabled().first().copied(),
};

const ONLY_SIM_ENABLED: &str = "only the simulator is enabled, which is never chosen by preference: use `anyrt::sim`, \
     set ANYRT_BACKEND=sim, or enable another backend";

/// Returns the backend with that name. It is called when anyrt is compiled, so its panic is a
/// compile error.
const fn pinned(name: &str) -> Backend {
    let mut at = 0;
    let enabled = Backend::enabled();
    while at < enabled.len() {
        if are_equal(enabled[at].name().as_bytes(), name.as_bytes()) {
            return enabled[at];
        }
        at += 1;
    }
    panic!("{}", PINNED_IS_ABSENT)
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = BuildError;

    /// Parses the name of an enabled backend.
    fn from_str(name: &str) -> Result<Self, BuildError> {
        let known = ENABLED.iter().find(|backend| backend.name() == name);
        known.copied().ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> BuildError {
    BuildError::UnknownBackend {
        name: name.to_owned(),
        enabled: match ENABLED {
            [] => "none".to_owned(),
            enabled => names(enabled),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_backend_is_one_of_the_enabled() {
        for backend in Backend::enabled() {
            assert_eq!(pinned(backend.name()), *backend);
        }
    }

    #[test]
    #[should_panic(expected = "names no enabled backend")]
    fn what_is_pinned_must_be_enabled() {
        pinned("smo");
    }

    #[test]
    #[should_panic(expected = "names no enabled backend")]
    fn several_pins_are_none() {
        pinned("tokio,smol");
    }
}
