//! A recorded execution as a trace that Perfetto opens: Chrome's JSON format of trace events.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::injected::Fault;
use crate::trace::{Event, Recording};

/// The process of timers, packets and faults; node 0 is process 1.
const SIMULATION: usize = 0;

/// An event of a node that is not a step of its own.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) time: Duration,
    pub(crate) node: usize,
    pub(crate) text: String,
}

impl From<&Fault> for Told {
    fn from(fault: &Fault) -> Self {
        Self {
            time: fault.time(),
            node: fault.node(),
            text: format!("fault {}: {}", fault.id(), fault.description()),
        }
    }
}

/// Writes the record, with the names of the nodes and their events in order. Without a record the
/// trace is empty.
pub(crate) fn write(
    to: &mut dyn Write,
    nodes: &[&str],
    record: Option<&Recording>,
    told: &[Told],
) -> io::Result<()> {
    let mut told = told.iter().peekable();
    let empty = Recording::default();
    let record = record.unwrap_or(&empty);
    let mut events = Events { to, any: false };
    write!(events.to, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    events.name("process_name", SIMULATION, 0, "simulation")?;
    for (id, name) in nodes.iter().enumerate() {
        events.name("process_name", id + 1, 0, &format!("node {name}"))?;
    }
    let mut processes = BTreeMap::new();
    for task in &record.tasks {
        processes.insert(task.number, task.node + 1);
        let name = format!("{} {} at {}", task.what, task.number, task.spawned_at);
        events.name("thread_name", task.node + 1, task.number, &name)?;
    }
    for step in &record.steps {
        while let Some(told) = told.next_if(|told| told.time <= step.time) {
            events.happened(&told.text, &micros(told.time), told.node + 1, 0, false)?;
        }
        let at = micros(step.time);
        let process = |task| processes.get(&task).copied().unwrap_or(SIMULATION);
        match step.event {
            Event::Poll(task) => events.happened("poll", &at, process(task), task, true)?,
            Event::Job(task) => events.happened("job", &at, process(task), task, true)?,
            Event::Spawn(task) => events.happened("spawned", &at, process(task), task, false)?,
            Event::Timers(count) => {
                let name = format!("{count} timers");
                events.happened(&name, &at, SIMULATION, 1, false)?;
            }
            Event::Packet(_) => events.happened("packet", &at, SIMULATION, 2, false)?,
            Event::Fault(kind) => {
                events.happened(fault(kind), &at, SIMULATION, 3, false)?;
            }
            Event::Node(change) => {
                let name = ["ends", "restarts", "is paused", "goes on"];
                let name = name.get(change as usize % 8).unwrap_or(&"changes");
                events.happened(name, &at, change as usize / 8 + 1, 0, false)?;
            }
            Event::Signal(signal) => {
                let name = format!("signal {}", signal % 256);
                events.happened(&name, &at, (signal >> 8) as usize + 1, 0, false)?;
            }
            Event::Disk(content) => {
                let node = (content % (1 << 16)) as usize;
                events.happened("disk", &at, node + 1, 0, false)?;
            }
            Event::Draw(_) => events.happened("random number", &at, SIMULATION, 4, false)?,
        }
    }
    writeln!(events.to, "\n]}}")
}

/// Formats microseconds, with the nanoseconds as decimals.
fn micros(time: Duration) -> String {
    format!("{}.{:03}", time.as_micros(), time.subsec_nanos() % 1_000)
}

fn fault(kind: u64) -> &'static str {
    match kind {
        1 => "packet held back",
        2 => "segment lost",
        3 => "datagram lost",
        4 => "datagram doubled",
        16 => "hold begins",
        17 => "partition begins",
        18 => "partition heals",
        19 => "hold ends",
        _ => "fault",
    }
}

struct Events<'a> {
    to: &'a mut dyn Write,
    any: bool,
}

impl Events<'_> {
    fn next(&mut self) -> io::Result<()> {
        let comma = if std::mem::replace(&mut self.any, true) {
            ","
        } else {
            ""
        };
        writeln!(self.to, "{comma}")
    }

    /// Names a process or a thread.
    fn name(&mut self, what: &str, process: usize, thread: u64, name: &str) -> io::Result<()> {
        self.next()?;
        let name = escaped(name);
        write!(
            self.to,
            "{{\"ph\":\"M\",\"name\":\"{what}\",\"pid\":{process},\"tid\":{thread},\"args\":{{\"name\":\"{name}\"}}}}"
        )
    }

    /// Writes an event of a moment, or one of about a tenth of a microsecond that has just ended.
    fn happened(
        &mut self,
        name: &str,
        at: &str,
        process: usize,
        thread: u64,
        lasts: bool,
    ) -> io::Result<()> {
        self.next()?;
        let kind = match lasts {
            true => "\"ph\":\"X\",\"dur\":0.1",
            false => "\"ph\":\"i\",\"s\":\"t\"",
        };
        let name = escaped(name);
        write!(
            self.to,
            "{{{kind},\"name\":\"{name}\",\"ts\":{at},\"pid\":{process},\"tid\":{thread}}}"
        )
    }
}

/// Escapes a text for a JSON string.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => escaped.extend(['\\', letter]),
            control if control.is_control() => {
                escaped += &format!("\\u{:04x}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
