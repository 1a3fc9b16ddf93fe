//! The jobs: each runs in its own child process and returns figures.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyrt_bench::work::{Dialogue, Figure, pin};
use anyrt_bench::{Backend, Via, Work, subject};

use super::cores::Cores;
use super::load::{self, Ask, Load};
use super::process::Process;
use super::{epoll, floor, uring};
use crate::fail::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The implementation that does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Runtime(Backend, Via),
    Floor(Floor),
}

/// An implementation directly on the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floor {
    Epoll,
    Uring,
    Loop,
    Eventfd,
    Std,
}

impl Contender {
    pub(crate) fn name(self) -> String {
        let backend = |backend| match backend {
            Backend::Tokio => "Tokio",
            Backend::Smol => "Smol",
            Backend::AsyncStd => "async-std",
            Backend::Glommio => "Glommio",
        };
        match self {
            Self::Runtime(of, Via::Native) => format!("{}, native", backend(of)),
            Self::Runtime(of, _) => backend(of).to_owned(),
            Self::Floor(floor) => floor.name().to_owned(),
        }
    }

    fn args(self) -> [&'static str; 2] {
        match self {
            Self::Runtime(backend, via) => [via.name(), backend.name()],
            Self::Floor(floor) => ["floor", floor.name()],
        }
    }
}

impl Floor {
    const ALL: [Self; 5] = [
        Self::Epoll,
        Self::Uring,
        Self::Loop,
        Self::Eventfd,
        Self::Std,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Epoll => "raw epoll",
            Self::Uring => "raw io_uring",
            Self::Loop => "bare loop",
            Self::Eventfd => "eventfd",
            Self::Std => "std, blocking",
        }
    }

    /// Returns `true` if this is the name of a floor.
    pub(crate) fn is_name(name: &str) -> bool {
        Self::parse(name).is_some()
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|floor| floor.name() == name)
    }

    /// Does the work, or serves until killed.
    fn work(self, work: Work, scratch: &Path) -> Result<Vec<Figure>> {
        Ok(match (self, work) {
            (Self::Epoll, Work::Serve(dialogue)) => {
                epoll::serve(dialogue)?;
                Vec::new()
            }
            (Self::Uring, Work::Serve(dialogue)) => {
                uring::serve(dialogue)?;
                Vec::new()
            }
            (Self::Loop, work) => floor::bare_loop(work)?,
            (Self::Eventfd, work) => floor::eventfds(work)?,
            (Self::Std, Work::Files { size, time }) => {
                subject::files::through_std(scratch, size, time)
            }
            _ => return Err(fail(format!("{} does not do {work:?}", self.name()))),
        })
    }
}

/// The cores of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    SameCore,
    TwoCores,
    /// Chosen by the system.
    Anywhere,
}

impl Placement {
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::SameCore => "same",
            Self::TwoCores => "two",
            Self::Anywhere => "any",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SameCore => "same core",
            Self::TwoCores => "two cores",
            Self::Anywhere => "any core",
        }
    }

    /// Returns the core of the other side, if there is one.
    pub(crate) const fn other(self, cores: Cores) -> Option<usize> {
        match self {
            Self::TwoCores => cores.second,
            _ => Some(cores.first),
        }
    }
}

/// A measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    /// In one process.
    Work { work: Work, placement: Placement },
    /// A server on the first core, and a client in another process on `core`.
    Serve {
        dialogue: Dialogue,
        ask: Ask,
        core: usize,
    },
}

/// The settings of all jobs.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) cores: Cores,
    /// The time limit of a measurement.
    pub(crate) limit: Duration,
    /// The directory for files.
    pub(crate) scratch: PathBuf,
}

impl Setting {
    fn child(&self, contender: Contender, work: &Work, cores: Option<usize>) -> Result<Command> {
        let mut command = Command::new(crate::places::this_program());
        command
            .args(["__work", &serde_json::to_string(&cores)?])
            .args(contender.args())
            .arg(serde_json::to_string(work)?)
            .arg(&self.scratch)
            .env("ASYNC_STD_THREAD_COUNT", "1")
            .env("SMOL_THREADS", "1");
        Ok(command)
    }
}

impl Job {
    /// Runs the job once; returns the figures by name.
    pub(crate) fn run(&self, contender: Contender, setting: &Setting) -> Result<Vec<Measured>> {
        match self {
            Self::Work { work, placement } => {
                let core = (*placement != Placement::Anywhere).then_some(setting.cores.first);
                let mut child = Process::start(&mut setting.child(contender, work, core)?)?;
                let figures = child.line(setting.limit);
                drop(child);
                // The child removes it, unless it was killed before.
                let _ = std::fs::remove_file(&setting.scratch);
                let mut figures: Vec<Measured> = serde_json::from_str(&figures?)?;
                if let Some((_, nanos)) = figures.iter().find(|(name, _)| name == "switch") {
                    figures.push(("rate".to_owned(), 1e9 / nanos));
                }
                Ok(figures)
            }
            Self::Serve {
                dialogue,
                ask,
                core,
            } => serve(contender, setting, *dialogue, *ask, *core),
        }
    }
}

/// A figure's name and value.
pub(crate) type Measured = (String, f64);

fn serve(
    contender: Contender,
    setting: &Setting,
    dialogue: Dialogue,
    ask: Ask,
    core: usize,
) -> Result<Vec<Measured>> {
    let work = Work::Serve(dialogue);
    let mut server = setting.child(contender, &work, Some(setting.cores.first))?;
    let mut server = Process::start(&mut server)?;
    let address = server.line(setting.limit)?;
    let before = Usage::of(server.id())?;
    let mut client = client(&[core], &address, dialogue, ask)?;
    let answer = Process::start(&mut client).and_then(|mut client| client.line(setting.limit));
    let after = Usage::of(server.id());
    let load: Load = match (answer, server.failure()) {
        (Ok(answer), None) => serde_json::from_str(&answer)?,
        (_, Some(failure)) => return Err(fail(failure)),
        (Err(client), None) => return Err(fail(format!("the client {client}"))),
    };
    Ok(figures(load, before, after?))
}

/// The share of the warm-up in the run of a client.
const WARM_UP: u32 = 5;

fn figures(load: Load, before: Usage, after: Usage) -> Vec<Measured> {
    // The server's usage includes the warm-up, and so does the number of requests by which it is
    // divided, at the same rate.
    let whole = 1.0 + 1.0 / f64::from(WARM_UP);
    let requests = (load.requests as f64 * whole).max(1.0);
    let figure = |name: &str, value| (name.to_owned(), value);
    vec![
        figure("rate", load.requests as f64 / load.seconds),
        figure("cpu", (after.cpu - before.cpu) * 1e6 / requests),
        figure("p50", load.p50),
        figure("p99", load.p99),
        figure("p999", load.p999),
        figure("max", load.max),
        figure(
            "switches",
            (after.switches - before.switches) / (load.seconds * whole),
        ),
    ]
}

/// The resources that a process has used so far.
#[derive(Clone, Copy)]
struct Usage {
    /// Seconds.
    cpu: f64,
    switches: f64,
}

impl Usage {
    fn of(process: u32) -> io::Result<Self> {
        let process = process.to_string();
        Ok(Self {
            cpu: anyrt_bench::work::cpu_time(&process)?.as_secs_f64(),
            switches: anyrt_bench::work::context_switches(&process)?,
        })
    }
}

/// A file that is removed with its guard.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // The file need not exist.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Ends a child when the process that reads its figures ends.
fn end_with_parent() -> Result<()> {
    let signal = rustix::process::Signal::KILL;
    Ok(rustix::process::set_parent_process_death_signal(Some(
        signal,
    ))?)
}

/// Runs the child that works: `CORE VIA BACKEND WORK SCRATCH`.
pub(crate) fn work(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or_else(|| fail("an argument is missing"));
    end_with_parent()?;
    if let Some(core) = serde_json::from_str(&next()?)? {
        pin(&[core])?;
    }
    let (via, name) = (next()?, next()?);
    let work: Work = serde_json::from_str(&next()?)?;
    let scratch = Scratch(next()?.into());
    let backend = Backend::parse(&name);
    let figures: Vec<Figure> = match (Via::parse(&via), backend, work) {
        (Some(Via::Native), Some(backend), Work::Files { size, time }) => {
            subject::files::natively(backend, &scratch.0, size, time)
        }
        (Some(Via::Native), Some(backend), work) => match backend {
            Backend::Tokio => subject::native_tokio::work(backend, work),
            Backend::Smol => subject::native_smol::work(backend, work),
            Backend::AsyncStd => subject::native_async_std::work(backend, work),
            Backend::Glommio => subject::native_glommio::work(backend, work),
        },
        (Some(_), Some(backend), Work::Files { size, time }) => {
            subject::files::through_anyrt(backend, &scratch.0, size, time)
        }
        (Some(_), Some(backend), work) => subject::facade::work(backend, work),
        (_, _, work) => Floor::parse(&name)
            .ok_or_else(|| fail(format!("no contender `{name}`")))?
            .work(work, &scratch.0)?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Starts the child that sends requests to a server, on these cores.
pub(crate) fn client(
    cores: &[usize],
    address: &str,
    dialogue: Dialogue,
    ask: Ask,
) -> Result<Command> {
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    let mut client = Command::new(crate::places::this_program());
    client.args(["__load", &cores.join(","), address]).args([
        serde_json::to_string(&dialogue)?,
        serde_json::to_string(&ask)?,
    ]);
    Ok(client)
}

/// Runs that child: `CORES ADDRESS DIALOGUE ASK`.
pub(crate) fn load(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or_else(|| fail("an argument is missing"));
    end_with_parent()?;
    let cores: Vec<usize> = next()?
        .split(',')
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    pin(&cores)?;
    let address: SocketAddr = next()?.parse()?;
    let dialogue: Dialogue = serde_json::from_str(&next()?)?;
    let ask: Ask = serde_json::from_str(&next()?)?;
    let warm_up = ask.time / WARM_UP;
    let load = load::run(address, dialogue, ask, warm_up)?;
    if load.requests == 0 {
        return Err(fail("got no answer"));
    }
    println!("{}", serde_json::to_string(&load)?);
    Ok(())
}
