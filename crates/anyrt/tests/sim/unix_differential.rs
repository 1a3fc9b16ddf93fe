//! Random scripts of Unix socket calls give the same on the real system and simulated: the same numbers of bytes, kinds
//! of errors, errnos and addresses. Both ask the kernel; what is compared is the names that the simulator puts in between,
//! and its readiness.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::unix::SocketAddr;
use anyrt::net::{UnixDatagram, UnixListener, UnixStream};
use anyrt::runtime::{Backend, Builder};
use anyrt::sim::{Sim, current};
use anyrt::time::{sleep, timeout};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Gave(usize, Option<PathBuf>),
    Failed(ErrorKind, Option<i32>),
    /// Nothing came in a second of virtual time, or in a moment of the real one.
    Waits,
    Skipped,
}

fn of<T>(result: io::Result<T>, value: impl FnOnce(T) -> (usize, Option<SocketAddr>)) -> Outcome {
    match result {
        Ok(ok) => {
            let (count, address) = value(ok);
            let path = address.and_then(|address| address.as_pathname().map(Path::to_owned));
            Outcome::Gave(
                count,
                path.and_then(|path| path.file_name().map(PathBuf::from)),
            )
        }
        Err(error) => Outcome::Failed(error.kind(), error.raw_os_error()),
    }
}

/// The test's own numbers, which have nothing to do with the simulator's.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound) as usize
    }
}

/// Where the script runs.
struct Place {
    directory: PathBuf,
    /// On the real system, where a reactor tells of readiness in its own time: what the calls gave in the simulation.
    simulated: Option<Vec<(String, Outcome)>>,
}

impl Place {
    fn path(&self, dice: &mut Dice) -> PathBuf {
        self.directory.join(["one", "two", "three"][dice.below(3)])
    }

    fn remove(&self, path: &Path) -> Outcome {
        if self.simulated.is_none() {
            return match current().remove_unix_path(path) {
                true => Outcome::Gave(0, None),
                false => Outcome::Failed(ErrorKind::NotFound, Some(2)),
            };
        }
        of(std::fs::remove_file(path), |()| (0, None))
    }

    async fn within<T>(
        &self,
        number: usize,
        call: impl Future<Output = io::Result<T>>,
        value: impl FnOnce(T) -> (usize, Option<SocketAddr>),
    ) -> Outcome {
        let patience = match &self.simulated {
            // Given a moment to show that it does not wait.
            Some(outcomes) if outcomes[number].1 == Outcome::Waits => Duration::from_millis(2),
            // Far more than any needs.
            Some(_) => Duration::from_secs(5),
            None => Duration::from_secs(1),
        };
        match timeout(patience, call).await {
            Ok(result) => of(result, value),
            Err(_) => Outcome::Waits,
        }
    }
}

/// Makes so many calls. Returns each with what it gave.
async fn run(number: u64, place: Place) -> Vec<(String, Outcome)> {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut listener = None;
    let mut ends: [Option<UnixStream>; 2] = [None, None];
    let mut sockets: [Option<UnixDatagram>; 2] = [None, None];
    let mut outcomes = Vec::new();
    for at in 0..10 + dice.below(30) {
        let (end, length) = (dice.below(2), dice.below(3_000));
        let path = place.path(&mut dice);
        let name = path.file_name().unwrap().to_owned();
        let (call, outcome) = match dice.below(17) {
            0 => {
                let outcome = of(UnixListener::bind(&path), |bound| {
                    let address = bound.local_addr().unwrap();
                    listener = Some(bound);
                    (0, Some(address))
                });
                ("bind", outcome)
            }
            1 => {
                listener = None;
                ("drop the listener", Outcome::Gave(0, None))
            }
            2 => ("remove", place.remove(&path)),
            3 | 4 => {
                let keep = |stream: UnixStream| {
                    let peer = stream.peer_addr().ok();
                    ends[0] = Some(stream);
                    (0, peer)
                };
                (
                    "connect",
                    place.within(at, UnixStream::connect(&path), keep).await,
                )
            }
            5 | 6 => match &listener {
                Some(listener) => {
                    let keep = |(stream, peer)| {
                        ends[1] = Some(stream);
                        (0, Some(peer))
                    };
                    ("accept", place.within(at, listener.accept(), keep).await)
                }
                None => ("accept", Outcome::Skipped),
            },
            7 => {
                ends[end] = None;
                ("drop the end", Outcome::Gave(end, None))
            }
            8 => {
                let outcome = of(UnixDatagram::bind(&path), |bound| {
                    let address = bound.local_addr().unwrap();
                    sockets[end] = Some(bound);
                    (0, Some(address))
                });
                ("bind for datagrams", outcome)
            }
            9 => {
                let (left, right) = UnixStream::pair().unwrap();
                ends = [Some(left), Some(right)];
                ("pair", Outcome::Gave(0, None))
            }
            10..14 => match (&mut ends[end], dice.below(4)) {
                (None, _) => ("on an end", Outcome::Skipped),
                (Some(stream), 0) => {
                    let buf = vec![7; 1 + length];
                    let call = stream.write(&buf);
                    ("write", place.within(at, call, |count| (count, None)).await)
                }
                (Some(stream), 1) => {
                    let mut buf = vec![0; 1 + length];
                    let outcome = place
                        .within(at, stream.read(&mut buf), |count| (count, None))
                        .await;
                    ("read", outcome)
                }
                (Some(stream), 2) => {
                    let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][length % 3];
                    let socket = socket2::SockRef::from(&*stream);
                    ("shutdown", of(socket.shutdown(how), |()| (0, None)))
                }
                (Some(stream), _) => {
                    let error = stream.take_error().unwrap();
                    let errno = error.and_then(|error| error.raw_os_error()).unwrap_or(0);
                    let outcome = Outcome::Gave(errno as usize, None);
                    ("take the error", outcome)
                }
            },
            _ => match (&sockets[end], dice.below(3)) {
                (None, _) => ("on a datagram socket", Outcome::Skipped),
                (Some(socket), 0) => {
                    let buf = vec![7; length];
                    let call = socket.send_to(&buf, &path);
                    ("send", place.within(at, call, |count| (count, None)).await)
                }
                (Some(socket), 1) => ("direct", of(socket.connect(&path), |()| (0, None))),
                (Some(socket), _) => {
                    let mut buf = vec![0; 1_000];
                    let call = socket.recv_from(&mut buf);
                    let outcome = place
                        .within(at, call, |(count, from)| (count, Some(from)))
                        .await;
                    ("receive", outcome)
                }
            },
        };
        let call = format!("{call} end {end}, {length} bytes, {}", name.display());
        outcomes.push((call, outcome));
        // News of what has just happened arrives before the next call.
        if place.simulated.is_none() {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for end in ends.iter().flatten() {
        // Still descriptors of their own.
        assert!(rustix::fs::fstat(end.as_fd()).is_ok());
    }
    outcomes
}

#[test]
fn scripts_of_unix_sockets_give_the_same_really_and_simulated() {
    let real = Builder::new_current_thread()
        .backend(Backend::Smol)
        .build()
        .unwrap();
    let directory = std::env::temp_dir().join(format!("anyrt-scripts-{}", std::process::id()));
    let mut wrong = String::new();
    for number in 1..=200 {
        let (sender, receiver) = std::sync::mpsc::channel();
        let sim = Sim::new(number);
        let place = Place {
            directory: PathBuf::from("/run"),
            simulated: None,
        };
        sim.client("client", async move {
            sender.send(run(number, place).await).unwrap();
        });
        sim.run().unwrap();
        let simulated = receiver.recv().unwrap();
        std::fs::create_dir(&directory).unwrap();
        let place = Place {
            directory: directory.clone(),
            simulated: Some(simulated.clone()),
        };
        let native = real.block_on(run(number, place));
        std::fs::remove_dir_all(&directory).unwrap();
        if native != simulated {
            writeln!(wrong, "script {number}: real, then simulated").unwrap();
            for ((call, native), (_, simulated)) in native.iter().zip(&simulated) {
                let mark = if native == simulated { ' ' } else { '!' };
                writeln!(wrong, "{mark} {call}: {native:?}, {simulated:?}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
