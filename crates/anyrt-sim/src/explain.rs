//! What tasks wait for when nothing can happen any more: each is polled again, and watched.
//!
//! The operations of the simulator note what they wait for ([`wait`](crate::wait)). Locks, channels
//! and futures of other crates do not, and nothing tells from outside where a task has stopped. But
//! a future that waits replaces the waker of its last poll by that of the present one, and thereby
//! drops it. So a task is polled twice. What it waits for keeps a clone of the first waker; the
//! second poll drops it inside the innermost future, and there its destructor takes a backtrace,
//! which contains every `.await` of the task.
//!
//! A correct future does nothing in these polls, for any may be spurious. A task that does
//! something was ready without having been woken. Nothing of it counts as a step of the execution,
//! which has failed.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use anyrt_core::coop;

use crate::failure::{Failure, FailureKind, place};
use crate::scheduler::{Kind, WaitingTask};
use crate::wait::{self, Wait};
use crate::world::World;

/// What the polls of a task have shown.
enum Finding {
    /// It did something, so it was ready.
    GoesOn,
    /// Nothing kept its waker.
    KeepsNoWaker,
    /// Something kept its waker.
    ///
    /// The place is where the waker was replaced, if it was.
    Waits(Option<Backtrace>),
}

/// The findings by the numbers of the tasks.
type Findings = BTreeMap<u64, Finding>;

thread_local! {
    /// `None` unless this thread watches a task.
    static WATCHED: RefCell<Option<Vec<Finding>>> = const { RefCell::new(None) };
}

/// Returns `true` if the task that is being polled is watched.
pub(crate) fn is_watching() -> bool {
    WATCHED.try_with(|watched| watched.borrow().is_some()) == Ok(true)
}

/// Polls a watched future twice, and records the finding.
pub(crate) fn poll_watched<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    let tell = |finding| {
        WATCHED.with_borrow_mut(|watched| {
            if let Some(findings) = watched {
                findings.clear();
                findings.push(finding);
            }
        });
    };
    // Also what is known if it panics.
    tell(Finding::GoesOn);
    let (spy, seen) = Spy::new();
    let waker = Waker::from(spy);
    let polled = poll_here(future.as_mut(), &waker);
    drop(waker);
    if polled.is_ready() || seen.lock().woken {
        return polled;
    }
    if seen.lock().dropped {
        tell(Finding::KeepsNoWaker);
        return polled;
    }
    seen.lock().tells = true;
    let (spy, second) = Spy::new();
    let polled = poll_here(future, &Waker::from(spy));
    let place = {
        let mut seen = seen.lock();
        seen.tells = false;
        seen.place.take()
    };
    if polled.is_pending() && !second.lock().woken {
        tell(Finding::Waits(place));
    }
    polled
}

/// Named in [`frames`] as the end of the task's part of a backtrace.
#[inline(never)]
fn poll_here<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    let polled = future.poll(&mut Context::from_waker(waker));
    // Not a tail call, which would remove this frame.
    std::hint::black_box(&polled);
    polled
}

/// A waker that is watched.
struct Spy(Seen);

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Sight>>);

#[derive(Default)]
struct Sight {
    woken: bool,
    dropped: bool,
    /// Whether the destructor takes a backtrace.
    tells: bool,
    place: Option<Backtrace>,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Sight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spy {
    fn new() -> (Arc<Self>, Seen) {
        let seen = Seen::default();
        (Arc::new(Self(seen.clone())), seen)
    }
}

impl Wake for Spy {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.lock().woken = true;
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        let mut seen = self.0.lock();
        seen.dropped = true;
        if seen.tells {
            seen.place = Some(Backtrace::force_capture());
        }
    }
}

impl World {
    /// Fails, because nothing can happen any more, with the reasons why the tasks wait. `root` is
    /// the future of the `block_on` of this seat, and its task's number.
    pub(crate) fn fail_waiting<F: Future>(
        self: &Arc<Self>,
        seat: usize,
        root: (u64, Pin<&mut F>),
        kind: FailureKind,
    ) -> Arc<Failure> {
        // Before they are looked at, which may end some.
        let waiting = self.scheduler().waiting();
        let findings = match self.options.explains {
            true => place::quietly(|| self.look_at_tasks(seat, root)),
            false => Findings::new(),
        };
        let why = match kind {
            FailureKind::TimeLimit => self.limit_passed(),
            _ => "all tasks wait for ever".to_owned(),
        };
        let report = why + &list(&waiting, &findings);
        self.fail(kind, report)
    }

    fn look_at_tasks<F: Future>(
        self: &Arc<Self>,
        seat: usize,
        root: (u64, Pin<&mut F>),
    ) -> Findings {
        let mut findings = Findings::new();
        self.scheduler().freeze(true);
        for node in self.nodes().all() {
            node.life().wake_all();
        }
        let works = self.scheduler().take_watched(seat);
        let mut works = works.into_iter();
        let mut root = Some(root);
        for work in works.by_ref() {
            let before = self.moves();
            let (task, finding) = (
                work.key.task,
                watched(|| {
                    let _current = work.rt.enter();
                    let _seeing = self.seen_from_inside();
                    if let Some(runnable) = work.runnable {
                        runnable.run();
                    }
                }),
            );
            let finding = match self.moves() == before {
                true => finding,
                false => Some(Finding::GoesOn),
            };
            findings.extend(finding.map(|finding| (task, finding)));
            if matches!(findings.get(&task), Some(Finding::GoesOn)) {
                // What others do from here on may follow from this.
                root = None;
                break;
            }
        }
        if let Some((task, root)) = root {
            let before = self.moves();
            let finding = watched(|| {
                let _seeing = self.seen_from_inside();
                let poll = || coop::with_budget(|| poll_watched(root).map(drop));
                // The report matters more than the panic.
                let _ = catch_unwind(AssertUnwindSafe(poll));
            });
            let finding = match self.moves() == before {
                true => finding,
                false => Some(Finding::GoesOn),
            };
            findings.extend(finding.map(|finding| (task, finding)));
        }
        // They end with their nodes.
        for work in works {
            self.wake_entity(work.key, work.runnable);
        }
        drop(wait::take());
        self.scheduler().freeze(false);
        findings
    }

    /// Changes when a task does something that others can see.
    fn moves(&self) -> (u64, Option<u64>) {
        let moves = self.scheduler().moves();
        (moves, self.next_event())
    }
}

/// Runs `poll`, which polls one future, and returns the finding.
fn watched(poll: impl FnOnce()) -> Option<Finding> {
    WATCHED.set(Some(Vec::new()));
    poll();
    WATCHED.take().and_then(|mut findings| findings.pop())
}

/// The maximum number of tasks in a report.
const LISTED: usize = 100;

/// Names the tasks and what they wait for.
fn list(waiting: &[WaitingTask], findings: &Findings) -> String {
    let mut text = String::new();
    for task in waiting.iter().take(LISTED) {
        let reason = reason(task, findings.get(&task.task), waiting);
        let _ = write!(text, "\n  {}, {reason}", task.text);
    }
    if waiting.len() > LISTED {
        let _ = write!(text, "\n  and {} more", waiting.len() - LISTED);
    }
    text
}

/// Says why the task does not go on.
fn reason(task: &WaitingTask, finding: Option<&Finding>, all: &[WaitingTask]) -> String {
    if task.paused {
        return "is ready, but its node is paused".to_owned();
    }
    if task.kind == Kind::Job {
        // Otherwise it would have the turn.
        return "waits in a `block_on` of its own".to_owned();
    }
    let waits: Vec<_> = task.waits.iter().map(|wait| name(wait, all)).collect();
    let place = match finding {
        Some(Finding::GoesOn) => {
            return "goes on when it is polled again: a wake-up was lost".to_owned();
        }
        Some(Finding::KeepsNoWaker) if waits.is_empty() => {
            return "waits for something that keeps no waker, so nothing can wake it".to_owned();
        }
        Some(Finding::Waits(Some(place))) => describe(place, &waits),
        _ => String::new(),
    };
    match (waits.is_empty(), place.is_empty()) {
        (false, _) => format!("waits for {}{place}", waits.join(" or ")),
        (true, false) => format!("waits{place}"),
        (true, true) => {
            "waits for something that is not of the runtime: a lock, a channel, another task"
                .to_owned()
        }
    }
}

/// Names what is waited for; a task by its number.
fn name(wait: &Wait, all: &[WaitingTask]) -> String {
    let task = all.iter().find(|task| match wait {
        Wait::Task(id) => task.id == Some(*id),
        _ => false,
    });
    match task {
        Some(task) => format!("the end of {} {}", task.kind.name(), task.task),
        None => wait.to_string(),
    }
}

/// The places in the program that a report names for one task, the innermost ones.
const PLACES: usize = 4;

/// Describes where a task has stopped: the operation, and the places of the program that lead there.
fn describe(backtrace: &Backtrace, waits: &[String]) -> String {
    let text = backtrace.to_string();
    let frames = frames(&text);
    let program = frames.iter().position(Frame::is_program);
    let operation = frames[..program.unwrap_or(frames.len())]
        .iter()
        .rev()
        .find(|frame| !frame.is_glue());
    let mut text = String::new();
    if let Some(operation) = operation.map(Frame::operation) {
        // A set polls the handles of its tasks only after they have signalled.
        if !waits.is_empty() && (operation.contains("JoinSet") || operation.contains("join_set.rs"))
        {
            text += " or of another task of its set";
        }
        if waits.is_empty() {
            let _ = write!(text, " in {operation}");
        } else if !operation.contains("JoinHandle") && !operation.contains("/task/handle.rs") {
            let _ = write!(text, ", in {operation}");
        }
    }
    let program = frames.iter().filter(|frame| frame.is_program());
    for frame in program.take(PLACES) {
        let _ = match frame.place {
            Some(place) => write!(text, "\n      at {}", place.trim_start_matches("./")),
            None => write!(text, "\n      in {}", frame.operation()),
        };
    }
    text
}

/// A line of a backtrace, and the place of the source if it is known.
struct Frame<'a> {
    name: &'a str,
    place: Option<&'a str>,
}

/// Returns the frames between the dropped waker and the task, the innermost first.
fn frames(text: &str) -> Vec<Frame<'_>> {
    let mut frames = Vec::<Frame<'_>>::new();
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.place = Some(place);
            }
        } else if let Some((number, name)) = line.split_once(": ")
            && number.parse::<u32>().is_ok()
        {
            frames.push(Frame { name, place: None });
        }
    }
    let end = frames.iter().position(|frame| frame.is_here("poll_here"));
    frames.truncate(end.unwrap_or(0));
    let start = frames.iter().rposition(|frame| frame.is_here(""));
    frames.drain(..start.map_or(0, |last| last + 1));
    frames
}

/// The directory of this crate; those of the other crates of anyrt are beside it.
const OURS: &str = env!("CARGO_MANIFEST_DIR");

impl Frame<'_> {
    /// Returns `true` for that function of this file.
    ///
    /// Debug information that has only lines does not say in which module a function is.
    fn is_here(&self, function: &str) -> bool {
        let here = self.name.contains("anyrt_sim::explain::")
            || self
                .place
                .is_some_and(|place| place.contains("anyrt-sim/src/explain.rs"));
        here && self.name.contains(function)
    }

    fn has_module(&self) -> bool {
        let name = self.name.trim_start_matches(['<', '&', '(']);
        let end = name.find(['<', '{', ' ']).unwrap_or(name.len());
        name[..end].contains("::")
    }

    fn is_of(&self, crates: &[&str]) -> bool {
        let name = self.name.trim_start_matches(['<', '&', '(']);
        crates.iter().any(|prefix| name.starts_with(prefix))
    }

    fn is_at(&self, parts: &[&str]) -> bool {
        self.place
            .is_some_and(|place| parts.iter().any(|part| place.contains(part)))
    }

    /// Returns `true` for functions of std, and for what a macro such as `select!` puts around the
    /// futures of its caller.
    fn is_glue(&self) -> bool {
        let is_macro = self.is_downloaded() && self.is_at(&["/src/macros/"]);
        is_macro
            || self.is_of(&["core::", "std::", "alloc::", "F as ", "F>", "__rust"])
            || self.is_at(&["/rustc/", "/rustlib/"])
    }

    fn is_downloaded(&self) -> bool {
        self.is_at(&["/.cargo/", "/registry/src/"])
    }

    /// Returns `true` if it is a function of the program under test, not of a library.
    fn is_program(&self) -> bool {
        let ours = ["anyrt::", "anyrt_core::", "anyrt_kit::", "anyrt_sim::"];
        let others = [
            "tokio::",
            "async_task::",
            "futures_util::",
            "event_listener::",
        ];
        let our_place = OURS.strip_suffix("-sim").unwrap_or("/.cargo/");
        let is_ours = self.is_at(&[our_place]) && self.is_at(&["/src/"]);
        !self.is_glue()
            && !is_ours
            && !self.is_of(&ours)
            && !self.is_of(&others)
            && !self.is_downloaded()
    }

    /// The name of the function, without the closures that an `async fn` consists of; of a future
    /// that is no `async fn`, its type; and the place of a function whose module is unknown.
    fn operation(&self) -> String {
        if let Some(place) = self.place.filter(|_| !self.has_module()) {
            let downloaded = place.split_once("/registry/src/");
            let place = downloaded
                .and_then(|(_, rest)| rest.split_once('/'))
                .map_or(place, |(_, rest)| rest);
            return place.to_owned();
        }
        let mut name = self.name;
        while let Some((function, last)) = name.rsplit_once("::")
            && last.starts_with('{')
        {
            name = function;
        }
        let future = name
            .strip_prefix('<')
            .and_then(|name| name.strip_suffix(" as core::future::future::Future>::poll"));
        future.unwrap_or(name).to_owned()
    }
}
