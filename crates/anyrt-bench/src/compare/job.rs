//! The jobs: each runs in a child process of its own and gives figures.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyrt_bench::work::Figure;
use anyrt_bench::{Backend, Via, Work, subject};
use rustix::thread::{CpuSet, Pid, sched_setaffinity};

use super::load::{self, Dialogue, Load, Pace};
use super::{floor, uring};
use crate::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Runtime(Backend, Via),
    RawEpoll,
    RawUring,
    PollLoop,
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
            Self::RawEpoll => "raw epoll".to_owned(),
            Self::RawUring => "raw io_uring".to_owned(),
            Self::PollLoop => "bare poll loop".to_owned(),
            Self::Eventfd => "eventfd, two threads".to_owned(),
            Self::Std => "std, blocking".to_owned(),
        }
    }

    fn args(self) -> [&'static str; 2] {
        match self {
            Self::Runtime(backend, via) => [via.name(), backend.name()],
            Self::RawEpoll => ["raw", "epoll"],
            Self::RawUring => ["raw", "uring"],
            Self::PollLoop => ["raw", "poll"],
            Self::Eventfd => ["raw", "eventfd"],
            Self::Std => ["raw", "std"],
        }
    }
}

/// Where server and client run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Both on the first core.
    SameCore,
    /// The client has a core of its own.
    TwoCores,
}

impl Placement {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SameCore => "same core",
            Self::TwoCores => "two cores",
        }
    }

    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::SameCore => "same",
            Self::TwoCores => "two",
        }
    }

    const fn cores(self) -> &'static str {
        match self {
            Self::SameCore => "0",
            Self::TwoCores => "0,1",
        }
    }

    const fn clients_core(self) -> &'static str {
        match self {
            Self::SameCore => "0",
            Self::TwoCores => "1",
        }
    }
}

/// Something to measure.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// In one process.
    Work { work: Work, placement: Placement },
    /// A server, and a client in another process.
    Serve {
        dialogue: Dialogue,
        connections: usize,
        pace: Pace,
        placement: Placement,
        time: Duration,
    },
}

fn spell(work: &Work) -> [String; 3] {
    let micros = |time: &Duration| time.as_micros().to_string();
    let (name, time, number) = match work {
        Work::Spawn1000(time) => ("spawn", micros(time), 0),
        Work::Yield { tasks, time } => ("yield", micros(time), *tasks),
        Work::Wake(time) => ("wake", micros(time), 0),
        Work::Blocking(time) => ("blocking", micros(time), 0),
        Work::Memory(tasks) => ("memory", String::from("0"), *tasks),
        Work::Timers(timers) => ("timers", String::from("0"), *timers),
        Work::Idle(time) => ("idle", micros(time), 0),
        Work::Files { size, time } => (
            "files",
            micros(time),
            usize::try_from(*size).unwrap_or(usize::MAX),
        ),
        Work::Echo => ("echo", String::from("0"), 0),
        Work::Http => ("http", String::from("0"), 0),
    };
    [name.to_owned(), time, number.to_string()]
}

fn read_work(name: &str, time: &str, number: &str) -> Result<Work> {
    let time = Duration::from_micros(time.parse()?);
    let number: usize = number.parse()?;
    Ok(match name {
        "spawn" => Work::Spawn1000(time),
        "yield" => Work::Yield {
            tasks: number,
            time,
        },
        "wake" => Work::Wake(time),
        "blocking" => Work::Blocking(time),
        "memory" => Work::Memory(number),
        "timers" => Work::Timers(number),
        "idle" => Work::Idle(time),
        "files" => Work::Files {
            size: number as u64,
            time,
        },
        "echo" => Work::Echo,
        "http" => Work::Http,
        _ => return Err(fail(format!("no work {name}"))),
    })
}

/// A child that is killed with its guard.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(contender: Contender, work: &Work, cores: &str) -> Command {
    let mut command = Command::new(crate::this_program());
    command
        .args(["__work", cores])
        .args(contender.args())
        .args(spell(work))
        .env("ASYNC_STD_THREAD_COUNT", "1")
        .env("SMOL_THREADS", "1");
    command
}

impl Job {
    /// Does it once; figures by name.
    pub(crate) fn run(&self, contender: Contender) -> Result<Vec<(String, f64)>> {
        match self {
            Self::Work { work, placement } => {
                let output = child(contender, work, placement.cores())
                    .stderr(Stdio::inherit())
                    .output()?;
                if !output.status.success() {
                    return Err(fail(format!("{work:?} failed on {}", contender.name())));
                }
                Ok(serde_json::from_slice(&output.stdout)?)
            }
            Self::Serve {
                dialogue,
                connections,
                pace,
                placement,
                time,
            } => {
                let work = match dialogue {
                    Dialogue::Echo => Work::Echo,
                    Dialogue::Http => Work::Http,
                };
                let mut server = Running(
                    child(contender, &work, "0")
                        .stdout(Stdio::piped())
                        .spawn()?,
                );
                let mut address = String::new();
                if let Some(stdout) = &mut server.0.stdout {
                    BufReader::new(stdout).read_line(&mut address)?;
                }
                let rate = match pace {
                    Pace::Closed => 0,
                    Pace::Open(rate) => *rate,
                };
                let before = Usage::of(server.0.id())?;
                let output = Command::new(crate::this_program())
                    .args(["__load", placement.clients_core(), address.trim()])
                    .arg(if matches!(dialogue, Dialogue::Http) {
                        "http"
                    } else {
                        "echo"
                    })
                    .args([connections.to_string(), rate.to_string()])
                    .arg(time.as_micros().to_string())
                    .output()?;
                let after = Usage::of(server.0.id())?;
                let load: Load = serde_json::from_slice(&output.stdout)
                    .map_err(|_| fail(String::from_utf8_lossy(&output.stderr)))?;
                Ok(figures(load, before, after))
            }
        }
    }
}

/// The share of the warm-up in a client's run.
const WARM_UP: u32 = 5;

fn figures(load: Load, before: Usage, after: Usage) -> Vec<(String, f64)> {
    // The server's usage covers the warm-up; so do the requests that it is divided by, at the same rate.
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

/// What a process has used so far.
#[derive(Clone, Copy)]
struct Usage {
    /// Seconds.
    cpu: f64,
    switches: f64,
}

impl Usage {
    fn of(process: u32) -> io::Result<Self> {
        let mut usage = Self {
            cpu: 0.0,
            switches: 0.0,
        };
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?.path();
            let schedstat = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let nanos = schedstat
                .split(' ')
                .next()
                .and_then(|n| n.parse::<f64>().ok());
            usage.cpu += nanos.unwrap_or(0.0) / 1e9;
            let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
            let counts = status
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().last()?.parse::<f64>().ok());
            usage.switches += counts.sum::<f64>();
        }
        Ok(usage)
    }
}

/// Keeps this process to these cores, as far as the machine has them.
fn pin(cores: &str) -> Result<()> {
    let available = std::thread::available_parallelism()?.get();
    let mut set = CpuSet::new();
    for core in cores.split(',') {
        set.set(core.parse::<usize>()?.min(available - 1));
    }
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}

/// A file that goes with its guard.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let directory = crate::target_directory()?.join("compare");
        std::fs::create_dir_all(&directory)?;
        Ok(Self(
            directory.join(format!("scratch-{}", std::process::id())),
        ))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The child that works: `CORES VIA BACKEND NAME TIME NUMBER`.
pub(crate) fn work(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or_else(|| fail("an argument is missing"));
    pin(&next()?)?;
    let (via, name) = (next()?, next()?);
    let work = read_work(&next()?, &next()?, &next()?)?;
    let figures: Vec<Figure> = match (Via::parse(&via), Backend::parse(&name)) {
        (Some(Via::Native), Some(backend)) => match backend {
            Backend::Tokio => subject::native_tokio::work(backend, work),
            Backend::Smol => subject::native_smol::work(backend, work),
            Backend::AsyncStd => subject::native_async_std::work(backend, work),
            Backend::Glommio => subject::native_glommio::work(backend, work),
        },
        (Some(_), Some(backend)) => match work {
            Work::Files { size, time } => {
                let file = Scratch::new()?;
                subject::files::through_anyrt(backend, &file.0, size, time)
            }
            work => subject::facade::work(backend, work),
        },
        _ => match (name.as_str(), work) {
            ("epoll", _) => return Ok(floor::epoll_echo()?),
            ("uring", _) => return Ok(uring::echo()?),
            ("poll", Work::Yield { time, .. }) => vec![floor::poll_loop(time)],
            ("std", Work::Files { size, time }) => {
                let file = Scratch::new()?;
                subject::files::through_std(&file.0, size, time)
            }
            ("eventfd", Work::Wake(time)) => vec![floor::eventfd_wake(time)?],
            _ => return Err(fail("no such floor")),
        },
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// The child that asks: `CORE ADDRESS DIALOGUE CONNECTIONS RATE MICROSECONDS`.
pub(crate) fn load(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or_else(|| fail("an argument is missing"));
    pin(&next()?)?;
    let address: SocketAddr = next()?.parse()?;
    let dialogue = if next()? == "http" {
        Dialogue::Http
    } else {
        Dialogue::Echo
    };
    let (connections, rate) = (next()?.parse()?, next()?.parse()?);
    let time = Duration::from_micros(next()?.parse()?);
    let pace = if rate == 0 {
        Pace::Closed
    } else {
        Pace::Open(rate)
    };
    let load = load::run(address, dialogue, connections, pace, time / WARM_UP, time)?;
    println!("{}", serde_json::to_string(&load)?);
    Ok(())
}
