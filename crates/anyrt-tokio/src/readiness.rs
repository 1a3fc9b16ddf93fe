//! Tokio's readiness in terms of the core.

#[cfg(unix)]
mod async_fd;

use anyrt_core::readiness::{Interest, Ready};

#[cfg(unix)]
pub use async_fd::{AsyncFd, Event};

/// Converts to Tokio's type.
pub fn to_tokio(interest: Interest) -> tokio::io::Interest {
    use tokio::io::Interest as Tokio;
    let mut sum = None;
    let mut add = |wanted: bool, part: Tokio| {
        if wanted {
            sum = Some(sum.map_or(part, |sum: Tokio| sum | part));
        }
    };
    add(interest.is_readable(), Tokio::READABLE);
    add(interest.is_writable(), Tokio::WRITABLE);
    add(interest.is_error(), Tokio::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(interest.is_priority(), Tokio::PRIORITY);
    sum.unwrap_or(Tokio::READABLE)
}

/// Converts from Tokio's type.
pub fn from_tokio(ready: tokio::io::Ready) -> Ready {
    use tokio::io::Ready as Tokio;
    let parts = PARTS
        .iter()
        .filter(|(tokio, _)| ready & *tokio != Tokio::EMPTY);
    parts.fold(Ready::EMPTY, |sum, (_, part)| sum | *part)
}

#[cfg(unix)]
fn ready_to_tokio(ready: Ready) -> tokio::io::Ready {
    let parts = PARTS.iter().filter(|(_, part)| !(ready & *part).is_empty());
    parts.fold(tokio::io::Ready::EMPTY, |sum, (tokio, _)| sum | *tokio)
}

const PARTS: &[(tokio::io::Ready, Ready)] = &[
    (tokio::io::Ready::READABLE, Ready::READABLE),
    (tokio::io::Ready::WRITABLE, Ready::WRITABLE),
    (tokio::io::Ready::READ_CLOSED, Ready::READ_CLOSED),
    (tokio::io::Ready::WRITE_CLOSED, Ready::WRITE_CLOSED),
    (tokio::io::Ready::ERROR, Ready::ERROR),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    (tokio::io::Ready::PRIORITY, Ready::PRIORITY),
];
