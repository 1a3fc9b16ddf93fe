//! Credentials of the peer.

use std::io;
use std::os::fd::AsFd;

/// A user's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type uid_t = u32;

/// A group's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type gid_t = u32;

/// A process's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type pid_t = i32;

/// The credentials of a process at the time when it connected or called `listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    /// Returns the user id.
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// Returns the group id.
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// Returns the process id, on systems that report it: Linux, Android, macOS and iOS.
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: impl AsFd) -> io::Result<UCred> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(UCred {
        pid: Some(peer.pid.as_raw_nonzero().get()),
        uid: peer.uid.as_raw(),
        gid: peer.gid.as_raw(),
    })
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(super) fn of_peer(socket: impl AsFd) -> io::Result<UCred> {
    let (uid, gid) = nix::unistd::getpeereid(&socket)?;
    #[cfg(target_vendor = "apple")]
    let pid = {
        use nix::sys::socket::{getsockopt, sockopt::LocalPeerPid};
        Some(getsockopt(&socket, LocalPeerPid)?)
    };
    #[cfg(not(target_vendor = "apple"))]
    let pid = None;
    Ok(UCred {
        pid,
        uid: uid.as_raw(),
        gid: gid.as_raw(),
    })
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(super) fn of_peer(_: impl AsFd) -> io::Result<UCred> {
    Err(io::ErrorKind::Unsupported.into())
}
