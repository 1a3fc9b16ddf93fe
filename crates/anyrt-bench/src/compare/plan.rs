//! Which rows there are, and what is run for them.

use std::time::Duration;

use anyrt_bench::{Backend, Via, Work};
use serde::Serialize;

use super::job::{Contender, Job, Placement};
use super::load::{Dialogue, Pace};

/// A line of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) group: &'static str,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) higher_is_better: bool,
    /// Whether the report has a plot of it.
    pub(crate) plotted: bool,
}

/// A job, who does it, and the rows that its figures belong to.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) job: Job,
    pub(crate) contenders: Vec<Contender>,
    /// By the name of the figure.
    pub(crate) rows: Vec<(&'static str, Row)>,
    /// Once is enough: it is as long as many rounds of others, or exact.
    pub(crate) once: bool,
}

pub(crate) const TASKS: &str = "Tasks";
pub(crate) const MEMORY: &str = "Memory and timers";
pub(crate) const ECHO: &str = "Echo of 1 KB over TCP";
pub(crate) const HTTP: &str = "HTTP";
pub(crate) const FILES: &str = "Files";
pub(crate) const PROGRAMS: &str = "Programs";

fn row(id: &str, group: &'static str, title: &str, unit: &'static str) -> Row {
    Row {
        id: id.to_owned(),
        group,
        title: title.to_owned(),
        unit,
        higher_is_better: false,
        plotted: true,
    }
}

/// All that is measured.
pub(crate) fn plan(quick: bool, native: bool, size: u64) -> Vec<Item> {
    let mut runtimes = Vec::new();
    for &backend in Backend::ALL {
        runtimes.push(Contender::Runtime(backend, Via::Facade));
        if native {
            runtimes.push(Contender::Runtime(backend, Via::Native));
        }
    }
    let time = Duration::from_millis(if quick { 150 } else { 500 });
    let mut plan = tasks(&runtimes, time);
    plan.extend(memory(&runtimes, quick));
    plan.extend(servers(&runtimes, quick));
    plan.push(files(size, time));
    plan
}

/// Through anyrt alone: natively each runtime has files of another kind.
fn files(size: u64, time: Duration) -> Item {
    let mut contenders: Vec<Contender> = Backend::ALL
        .iter()
        .map(|&backend| Contender::Runtime(backend, Via::Facade))
        .collect();
    contenders.push(Contender::Std);
    let megabytes = size >> 20;
    let throughput = |id: &str, title: &str| {
        let mut row = row(id, FILES, title, "MB/s");
        row.higher_is_better = true;
        row
    };
    Item {
        job: Job::Work {
            work: Work::Files { size, time },
            placement: Placement::TwoCores,
        },
        contenders,
        rows: vec![
            (
                "write",
                throughput(
                    "file-write",
                    &format!("Write {megabytes} MiB in blocks of 64 KiB"),
                ),
            ),
            (
                "read",
                throughput(
                    "file-read",
                    &format!("Read {megabytes} MiB in blocks of 64 KiB"),
                ),
            ),
            (
                "random",
                row("file-random", FILES, "Seek and read a page of 4 KiB", "µs"),
            ),
        ],
        once: false,
    }
}

fn tasks(runtimes: &[Contender], time: Duration) -> Vec<Item> {
    let item = |work, placement, figure, row, more: &[Contender]| Item {
        job: Job::Work { work, placement },
        contenders: [runtimes, more].concat(),
        rows: vec![(figure, row)],
        once: false,
    };
    let same = Placement::SameCore;
    let mut items = vec![item(
        Work::Spawn1000(time),
        same,
        "spawn",
        row("spawn-1000", TASKS, "Spawn 1,000 tasks and join them", "µs"),
        &[],
    )];
    for tasks in [1, 2, 100] {
        let title = match tasks {
            1 => "Yield, one task alone".to_owned(),
            _ => format!("Switch between {tasks} tasks that yield"),
        };
        items.push(item(
            Work::Yield { tasks, time },
            same,
            "switch",
            row(&format!("switch-{tasks}"), TASKS, &title, "ns per switch"),
            &[Contender::PollLoop],
        ));
    }
    items.push(item(
        Work::Wake(time),
        same,
        "wake",
        row(
            "wake",
            TASKS,
            "Wake another task, and be woken",
            "ns per switch",
        ),
        &[Contender::Eventfd],
    ));
    for placement in [Placement::SameCore, Placement::TwoCores] {
        let title = format!("Call a blocking thread and wait, {}", placement.name());
        let id = format!("blocking-{}", placement.id());
        items.push(item(
            Work::Blocking(time),
            placement,
            "blocking",
            row(&id, TASKS, &title, "µs"),
            &[],
        ));
    }
    items
}

fn memory(runtimes: &[Contender], quick: bool) -> Vec<Item> {
    let item = |work, rows, once| Item {
        job: Job::Work {
            work,
            placement: Placement::SameCore,
        },
        contenders: runtimes.to_vec(),
        rows,
        once,
    };
    let mut items = Vec::new();
    for (tasks, name) in [(100_000, "100K"), (1_000_000, "1M")] {
        let mut total = row(
            &format!("memory-{name}"),
            MEMORY,
            &format!("{name} waiting tasks, in all"),
            "MB",
        );
        total.plotted = false;
        let each = row(
            &format!("task-{name}"),
            MEMORY,
            &format!("A waiting task, of {name}"),
            "bytes",
        );
        items.push(item(
            Work::Memory(tasks),
            vec![("total", total), ("per-task", each)],
            true,
        ));
    }
    let timers: &[(usize, &str)] = if quick {
        &[(100_000, "100K")]
    } else {
        &[(100_000, "100K"), (1_000_000, "1M")]
    };
    for &(timers, name) in timers {
        let create = row(
            &format!("timers-start-{name}"),
            MEMORY,
            &format!("Start {name} tasks that sleep"),
            "ms",
        );
        let cpu = row(
            &format!("timers-cpu-{name}"),
            MEMORY,
            &format!("Start {name} sleeps and let them fire"),
            "ms of CPU",
        );
        items.push(item(
            Work::Timers(timers),
            vec![("create", create), ("cpu", cpu)],
            quick,
        ));
    }
    let idle = row(
        "idle",
        MEMORY,
        "1,000 sleeping tasks, nothing to do",
        "ms of CPU per s",
    );
    let time = Duration::from_millis(if quick { 400 } else { 2_000 });
    items.push(item(Work::Idle(time), vec![("idle", idle)], quick));
    items
}

fn servers(runtimes: &[Contender], quick: bool) -> Vec<Item> {
    let time = Duration::from_millis(if quick { 250 } else { 1_000 });
    let floors = [Contender::RawEpoll, Contender::RawUring];
    let mut items = Vec::new();
    let mut echo = |connections: usize, pace, placement: Placement| {
        let id = format!("echo-{connections}-{}", placement.id());
        let people = if connections == 1 {
            "connection"
        } else {
            "connections"
        };
        let mut title = format!("{connections} {people}, {}", placement.name());
        let open = matches!(pace, Pace::Open(_));
        if let Pace::Open(rate) = pace {
            title = format!("{connections} connections, {rate} requests/s due");
        }
        items.push(Item {
            job: Job::Serve {
                dialogue: Dialogue::Echo,
                connections,
                pace,
                placement,
                time,
            },
            contenders: [runtimes, &floors].concat(),
            rows: figures(
                &if open {
                    format!("open-{connections}")
                } else {
                    id
                },
                ECHO,
                &title,
                open,
            ),
            once: false,
        });
    };
    let counts: &[usize] = if quick { &[1, 64] } else { &[1, 16, 64, 256] };
    for &connections in counts {
        echo(connections, Pace::Closed, Placement::TwoCores);
    }
    echo(1, Pace::Closed, Placement::SameCore);
    if !quick {
        echo(64, Pace::Closed, Placement::SameCore);
        echo(16, Pace::Open(20_000), Placement::TwoCores);
    }
    echo(64, Pace::Open(20_000), Placement::TwoCores);
    items.push(Item {
        job: Job::Serve {
            dialogue: Dialogue::Http,
            connections: 64,
            pace: Pace::Closed,
            placement: Placement::TwoCores,
            time,
        },
        contenders: runtimes.to_vec(),
        rows: figures("http-64", HTTP, "64 connections, kept alive", false),
        once: false,
    });
    items
}

/// The rows of a server.
fn figures(id: &str, group: &'static str, title: &str, open: bool) -> Vec<(&'static str, Row)> {
    let row = |name: &'static str, what: &str, unit: &'static str, plotted: bool| {
        let mut row = row(
            &format!("{id}-{name}"),
            group,
            &format!("{title}: {what}"),
            unit,
        );
        row.plotted = plotted;
        row.higher_is_better = name == "rate";
        (name, row)
    };
    vec![
        row("rate", "requests", "per second", !open),
        row("cpu", "CPU of the server", "µs per request", true),
        row("p50", "latency P50", "µs", id.ends_with("same")),
        row("p99", "latency P99", "µs", open),
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
