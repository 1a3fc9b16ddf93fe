//! The rows, and the jobs that measure them.

use std::time::Duration;

use anyrt_bench::work::Dialogue;
use anyrt_bench::{Backend, Via, Work};
use serde::Serialize;

use super::cores::Cores;
use super::job::{Contender, Floor, Job, Placement};
use super::load::{Ask, Pace};

/// A line of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) group: &'static str,
    /// The group of several rows, such as those of one server and load.
    pub(crate) part: Option<String>,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) higher_is_better: bool,
    /// `true` if the report has a plot of it.
    pub(crate) plotted: bool,
}

impl Row {
    pub(crate) fn new(id: &str, group: &'static str, title: &str, unit: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            group,
            part: None,
            title: title.to_owned(),
            unit,
            higher_is_better: false,
            plotted: true,
        }
    }

    fn more_is_better(mut self) -> Self {
        self.higher_is_better = true;
        self
    }

    fn in_tables_only(mut self) -> Self {
        self.plotted = false;
        self
    }

    /// Returns `true` if its group, name or title contains the word, in lower case.
    pub(crate) fn is_about(&self, word: &str) -> bool {
        let texts = [self.group, &self.id, &self.full_title()].map(str::to_lowercase);
        texts.iter().any(|text| text.contains(word))
    }

    /// Returns `true` for a server's latencies, from the median to the longest.
    pub(crate) fn is_latency(&self) -> bool {
        self.title.starts_with("latency")
    }

    /// Describes the measurement of this row.
    pub(crate) fn what(&self) -> String {
        match &self.part {
            Some(part) => format!("{}, {part}", self.group),
            None => self.title.clone(),
        }
    }

    /// Returns the title with its group.
    pub(crate) fn full_title(&self) -> String {
        match &self.part {
            Some(part) => format!("{part}: {}", self.title),
            None => self.title.clone(),
        }
    }
}

/// A job, its contender, and the rows for its figures.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) job: Job,
    pub(crate) contenders: Vec<Contender>,
    /// By the name of the figure.
    pub(crate) rows: Vec<(&'static str, Row)>,
    /// Measured once: it is as long as many rounds of others, or exact.
    pub(crate) once: bool,
}

/// The settings of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) quick: bool,
    pub(crate) native: bool,
    /// The size of the file.
    pub(crate) size: u64,
    pub(crate) cores: Cores,
}

pub(crate) const TASKS: &str = "Tasks";
pub(crate) const MEMORY: &str = "Memory and timers";
pub(crate) const ECHO: &str = "Echo of 1 KB over TCP";
pub(crate) const HTTP: &str = "HTTP";
pub(crate) const FILES: &str = "Files";
pub(crate) const PROGRAMS: &str = "Programs";

/// Returns all measurements.
pub(crate) fn plan(wish: Wish) -> Vec<Item> {
    let mut runtimes = Vec::new();
    for &backend in Backend::ALL {
        runtimes.push(Contender::Runtime(backend, Via::Facade));
        if wish.native {
            runtimes.push(Contender::Runtime(backend, Via::Native));
        }
    }
    let plan = Plan {
        wish,
        runtimes,
        time: Duration::from_millis(if wish.quick { 150 } else { 500 }),
    };
    let mut items = plan.tasks();
    items.extend(plan.memory());
    items.extend(plan.servers());
    items.push(plan.files());
    items
}

/// Formats a size for people.
pub(crate) fn bytes(size: u64) -> String {
    match size {
        _ if size >= 1 << 30 && size.is_multiple_of(1 << 30) => format!("{} GiB", size >> 30),
        _ if size >= 1 << 20 && size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 && size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        _ => format!("{size} bytes"),
    }
}

struct Plan {
    wish: Wish,
    runtimes: Vec<Contender>,
    time: Duration,
}

impl Plan {
    fn with(&self, floors: &[Floor]) -> Vec<Contender> {
        let floors = floors.iter().copied().map(Contender::Floor);
        self.runtimes.iter().copied().chain(floors).collect()
    }

    fn tasks(&self) -> Vec<Item> {
        let time = self.time;
        let alone = |work, rows| Item {
            job: Job::Work {
                work,
                placement: Placement::SameCore,
            },
            contenders: self.with(&[Floor::Loop]),
            rows,
            once: false,
        };
        let row = |id: &str, title: &str, unit| Row::new(id, TASKS, title, unit);
        let mut items = vec![alone(
            Work::Spawn1000(time),
            vec![(
                "spawn",
                row("spawn-1000", "Spawn 1,000 tasks and join them", "µs"),
            )],
        )];
        for tasks in [1, 2, 100] {
            let title = match tasks {
                1 => "Yield, one task alone".to_owned(),
                _ => format!("Switch between {tasks} tasks that yield"),
            };
            let rate = row(&format!("switches-{tasks}"), &title, "switches per second");
            items.push(alone(
                Work::Yield { tasks, time },
                vec![
                    (
                        "switch",
                        row(&format!("switch-{tasks}"), &title, "ns per switch"),
                    ),
                    ("rate", rate.more_is_better().in_tables_only()),
                ],
            ));
        }
        items.push(alone(
            Work::Wake(time),
            vec![(
                "wake",
                row("wake", "Wake another task, and be woken", "ns per switch"),
            )],
        ));
        for placement in [Placement::SameCore, Placement::TwoCores] {
            let Some(core) = placement.other(self.wish.cores) else {
                continue;
            };
            let across = |work, figure, id: &str, title: &str| Item {
                job: Job::Work {
                    work,
                    placement: Placement::SameCore,
                },
                contenders: self.with(&[Floor::Eventfd]),
                rows: vec![(
                    figure,
                    row(
                        &format!("{id}-{}", placement.id()),
                        &format!("{title}, {}", placement.name()),
                        "µs there and back",
                    ),
                )],
                once: false,
            };
            items.push(across(
                Work::WakeAcross { core, time },
                "across",
                "wake-thread",
                "Wake a thread, and be woken by it",
            ));
            items.push(across(
                Work::Blocking { core, time },
                "blocking",
                "blocking",
                "Call a blocking thread and wait",
            ));
        }
        items
    }

    fn memory(&self) -> Vec<Item> {
        let quick = self.wish.quick;
        let item = |work, rows, once| Item {
            job: Job::Work {
                work,
                placement: Placement::SameCore,
            },
            contenders: self.with(&[Floor::Loop]),
            rows,
            once,
        };
        let row = |id: String, title: String, unit| Row::new(&id, MEMORY, &title, unit);
        let mut items = Vec::new();
        for (tasks, name) in [(100_000, "100K"), (1_000_000, "1M")] {
            let total = row(
                format!("memory-{name}"),
                format!("{name} waiting tasks, in all"),
                "MB",
            );
            let each = row(
                format!("task-{name}"),
                format!("A waiting task, of {name}"),
                "bytes",
            );
            let rows = vec![("total", total.in_tables_only()), ("per-task", each)];
            items.push(item(Work::Memory(tasks), rows, true));
        }
        let timers: &[(usize, &str)] = if quick {
            &[(100_000, "100K")]
        } else {
            &[(100_000, "100K"), (1_000_000, "1M")]
        };
        for &(timers, name) in timers {
            let create = row(
                format!("timers-start-{name}"),
                format!("Start {name} tasks that sleep"),
                "ms",
            );
            let cpu = row(
                format!("timers-cpu-{name}"),
                format!("Start {name} sleeps and let them fire"),
                "ms of CPU",
            );
            let rows = vec![("create", create), ("cpu", cpu)];
            items.push(item(Work::Timers(timers), rows, quick));
        }
        let title = "1,000 sleeping tasks, nothing to do";
        let idle = row("idle".into(), title.into(), "ms of CPU per s");
        let switches = row("idle-switches".into(), title.into(), "wake-ups per s");
        let time = Duration::from_millis(if quick { 400 } else { 2_000 });
        let rows = vec![("idle", idle), ("switches", switches.in_tables_only())];
        items.push(item(Work::Idle(time), rows, quick));
        items
    }

    fn servers(&self) -> Vec<Item> {
        let quick = self.wish.quick;
        let (same, two) = (Placement::SameCore, Placement::TwoCores);
        let counts: &[usize] = if quick { &[1, 64] } else { &[1, 16, 64, 256] };
        let mut items = Vec::new();
        for placement in [two, same] {
            for &connections in counts {
                // On one core two loads are enough: one connection, and many.
                if placement == two || connections == 1 || (connections == 64 && !quick) {
                    items.extend(self.server(Dialogue::Echo, connections, Pace::Closed, placement));
                }
            }
        }
        for &connections in if quick { &[64][..] } else { &[1, 16, 64, 256] } {
            // One connection must keep up by itself, and each answer may have to wake a sleeping
            // core.
            let open = Pace::Open(if connections == 1 { 2_000 } else { 20_000 });
            items.extend(self.server(Dialogue::Echo, connections, open, two));
        }
        items.extend(self.server(Dialogue::Http, 64, Pace::Closed, two));
        items
    }

    /// Adds nothing if there are no two cores for it.
    fn server(
        &self,
        dialogue: Dialogue,
        connections: usize,
        pace: Pace,
        placement: Placement,
    ) -> Option<Item> {
        let core = placement.other(self.wish.cores)?;
        let people = match connections {
            1 => "1 connection".to_owned(),
            _ => format!("{connections} connections"),
        };
        let (kind, group) = match dialogue {
            Dialogue::Echo => ("echo", ECHO),
            Dialogue::Http => ("http", HTTP),
        };
        let (id, part) = match pace {
            Pace::Closed => (
                format!("{kind}-{connections}-{}", placement.id()),
                format!("{people}, {}", placement.name()),
            ),
            Pace::Open(rate) => (
                format!("{kind}-{connections}-open"),
                format!("{people}, {}, {rate} requests/s due", placement.name()),
            ),
        };
        let time = Duration::from_millis(if self.wish.quick { 250 } else { 1_000 });
        Some(Item {
            job: Job::Serve {
                dialogue,
                ask: Ask {
                    connections,
                    pace,
                    time,
                },
                core,
            },
            contenders: self.with(&[Floor::Epoll, Floor::Uring]),
            rows: served(&id, group, &part, pace),
            once: false,
        })
    }

    fn files(&self) -> Item {
        let size = self.wish.size;
        let row = |id: &str, title: &str, unit| Row::new(id, FILES, title, unit);
        let throughput = |id: &str, what: &str| {
            let title = format!("{what}, {} in blocks of 64 KiB", bytes(size));
            row(id, &title, "MB/s").more_is_better()
        };
        let disk = |id: &str, what: &str| throughput(id, what).in_tables_only();
        Item {
            job: Job::Work {
                work: Work::Files {
                    size,
                    time: self.time,
                },
                placement: Placement::Anywhere,
            },
            contenders: self.with(&[Floor::Std]),
            rows: vec![
                ("write", throughput("file-write", "Write to the page cache")),
                ("read", throughput("file-read", "Read from the page cache")),
                (
                    "random",
                    row(
                        "file-random",
                        "Read a page of 4 KiB anywhere, from the page cache",
                        "µs",
                    ),
                ),
                ("synced", disk("file-synced", "Write to the disk")),
                ("cold", disk("file-cold", "Read from the disk")),
            ],
            once: false,
        }
    }
}

/// Returns the rows of a server.
fn served(id: &str, group: &'static str, part: &str, pace: Pace) -> Vec<(&'static str, Row)> {
    let open = matches!(pace, Pace::Open(_));
    let row = |name: &'static str, title: &str, unit: &'static str, plotted: bool| {
        let row = Row {
            part: Some(part.to_owned()),
            plotted,
            ..Row::new(&format!("{id}-{name}"), group, title, unit)
        };
        (name, row)
    };
    let (_, rate) = row("rate", "requests", "per second", !open);
    vec![
        ("rate", rate.more_is_better()),
        row("cpu", "CPU of the server", "µs per request", true),
        row("p50", "latency P50", "µs", false),
        row("p99", "latency P99", "µs", false),
        row("p999", "latency P99.9", "µs", false),
        row("max", "latency, longest", "µs", false),
        row(
            "switches",
            "context switches of the server",
            "per second",
            false,
        ),
    ]
}
