//! The readiness of a descriptor, from `poll(2)`.

use anyrt_core::readiness::{Interest, Ready};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;

/// Returns the current readiness of `fd` within `watched`.
pub(super) fn look(fd: BorrowedFd<'_>, watched: Interest) -> Ready {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut reading = PollFlags::empty();
    if watched.is_readable() {
        reading |= PollFlags::IN | HALF_CLOSED;
    }
    if watched.is_priority() && cfg!(unix) {
        reading |= PollFlags::PRI;
    }
    let mut writing = PollFlags::empty();
    if watched.is_writable() {
        writing |= PollFlags::OUT;
    }
    // One entry per direction: most systems report a hang-up in the requested direction.
    let mut answers = [reading, writing].map(|flags| PollFd::from_borrowed_fd(fd, flags));
    if !matches!(poll(&mut answers, Some(&NOW)), Ok(1..)) {
        return Ready::EMPTY;
    }
    let [read, written] = answers.map(|answer| answer.revents());
    // Windows reports a hang-up when the peer has finished sending, although it may still read.
    let written = match cfg!(windows) {
        true => written - PollFlags::HUP,
        false => written,
    };
    let written = from_poll(written) & (Interest::WRITABLE | Interest::ERROR).mask();
    let of_reading = Interest::READABLE | Interest::PRIORITY | Interest::ERROR;
    (from_poll(read) & of_reading.mask()) | written
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
))]
const HALF_CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
)))]
const HALF_CLOSED: PollFlags = PollFlags::empty();

/// Converts the flags, whose values differ between systems.
fn from_poll(flags: PollFlags) -> Ready {
    const LINUX: [(PollFlags, u32); 6] = [
        (PollFlags::IN, 0x1),
        (PollFlags::PRI, 0x2),
        (PollFlags::OUT, 0x4),
        (PollFlags::ERR, 0x8),
        (PollFlags::HUP, 0x10),
        (HALF_CLOSED, 0x2000),
    ];
    let there = LINUX.iter().filter(|(flag, _)| flags.intersects(*flag));
    Ready::from_epoll(there.fold(0, |sum, (_, number)| sum | number))
}
