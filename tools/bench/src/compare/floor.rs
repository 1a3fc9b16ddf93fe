//! The floor: the same work directly on the system.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyrt_bench::Work;
use anyrt_bench::work::{
    Dialogue, Figure, HTTP_ANSWER, context_switches, cpu_time, median, move_to, resident, seconds,
};
use rustix::event::{EventfdFlags, eventfd};

use crate::fail::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Puts the answer to the received bytes into the buffer, and returns its length; zero if the
/// request is incomplete.
pub(crate) fn answer(dialogue: Dialogue, buffer: &mut [u8; 4096], read: usize) -> usize {
    match dialogue {
        Dialogue::Echo => read,
        Dialogue::Http if buffer[..read].ends_with(b"\r\n\r\n") => {
            buffer[..HTTP_ANSWER.len()].copy_from_slice(HTTP_ANSWER);
            HTTP_ANSWER.len()
        }
        Dialogue::Http => 0,
    }
}

/// Runs the work on a bare loop that polls futures in turn.
pub(crate) fn bare_loop(work: Work) -> Result<Vec<Figure>> {
    Ok(match work {
        Work::Spawn1000(time) => vec![("spawn", spawn_1000(time))],
        Work::Yield { tasks, time } => vec![("switch", yields(tasks, time))],
        Work::Wake(time) => vec![("wake", wake(time))],
        Work::Memory(tasks) => memory(tasks),
        Work::Timers(timers) => fire(timers)?,
        Work::Idle(time) => idle(time)?,
        _ => return Err(fail(format!("a loop does not do {work:?}"))),
    })
}

/// Two threads that wake each other through eventfds.
pub(crate) fn eventfds(work: Work) -> Result<Vec<Figure>> {
    Ok(match work {
        Work::WakeAcross { core, time } => vec![("across", there_and_back(core, time)?)],
        Work::Blocking { core, time } => vec![("blocking", there_and_back(core, time)?)],
        _ => return Err(fail(format!("two threads do not do {work:?}"))),
    })
}

/// Polls until all are ready.
fn run(tasks: &mut [Task]) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut done = vec![false; tasks.len()];
    let mut left = tasks.len();
    while left > 0 {
        for (task, done) in tasks.iter_mut().zip(&mut done) {
            if !*done && task.as_mut().poll(&mut cx).is_ready() {
                *done = true;
                left -= 1;
            }
        }
    }
}

/// Boxes a future, polls it once and drops it.
fn spawn_1000(time: Duration) -> f64 {
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        let mut tasks: Vec<Task> = (0..1000)
            .map(|i| {
                Box::pin(async move {
                    black_box(i);
                }) as Task
            })
            .collect();
        run(black_box(&mut tasks));
        drop(tasks);
        each.push(seconds(start) * 1e6);
    }
    median(each)
}

async fn pending_once() {
    let mut polled = black_box(false);
    poll_fn(|_| {
        if std::mem::replace(&mut polled, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn yields(tasks: usize, time: Duration) -> f64 {
    const EACH: usize = 10_000;
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let mut all: Vec<Task> = (0..tasks)
            .map(|_| {
                Box::pin(async {
                    for _ in 0..EACH {
                        pending_once().await;
                    }
                }) as Task
            })
            .collect();
        let start = Instant::now();
        run(black_box(&mut all));
        each.push(seconds(start) * 1e9 / (tasks * EACH) as f64);
    }
    median(each)
}

/// Measures two futures that alternate.
fn wake(time: Duration) -> f64 {
    const EACH: usize = 10_000;
    let side = |turn: Rc<Cell<usize>>, mine: usize| {
        Box::pin(async move {
            for _ in 0..EACH {
                poll_fn(|_| match turn.get() == mine {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
                turn.set(1 - mine);
            }
        }) as Task
    };
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let turn = Rc::new(Cell::new(0));
        let mut both = [side(turn.clone(), 0), side(turn, 1)];
        let start = Instant::now();
        run(black_box(&mut both));
        each.push(seconds(start) * 1e9 / (2 * EACH) as f64);
    }
    median(each)
}

/// Waits forever and keeps its waker.
struct Parked(Option<Waker>);

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Boxed futures in a list.
fn memory(tasks: usize) -> Vec<Figure> {
    let before = resident();
    let mut cx = Context::from_waker(Waker::noop());
    let all: Vec<Task> = (0..tasks)
        .map(|_| {
            let mut task: Task = Box::pin(Parked(None));
            assert!(task.as_mut().poll(&mut cx).is_pending());
            task
        })
        .collect();
    let used = resident() - before;
    // The process ends: as with the runtimes, waiting futures are not dropped.
    std::mem::forget(black_box(all));
    vec![("per-task", used / tasks as f64), ("total", used / 1e6)]
}

/// A heap of deadlines, and a thread that sleeps until the next.
fn fire(timers: usize) -> io::Result<Vec<Figure>> {
    let before = cpu_time("self")?;
    let start = Instant::now();
    let after = Duration::from_micros(3 * timers as u64);
    let mut heap = BinaryHeap::new();
    for timer in 0..timers {
        let left = after.saturating_sub(start.elapsed());
        heap.push((Reverse(Instant::now() + left), timer));
    }
    let create = seconds(start) * 1e3;
    while let Some(&(Reverse(due), _)) = heap.peek() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        heap.pop();
    }
    let cpu = (cpu_time("self")? - before).as_secs_f64() * 1e3;
    Ok(vec![("create", create), ("cpu", cpu)])
}

/// A thread that sleeps.
fn idle(time: Duration) -> io::Result<Vec<Figure>> {
    let (before, switches, start) = (cpu_time("self")?, context_switches("self")?, Instant::now());
    std::thread::sleep(time);
    let used = (cpu_time("self")? - before).as_secs_f64() * 1e3;
    Ok(vec![
        ("idle", used / seconds(start)),
        (
            "switches",
            (context_switches("self")? - switches) / seconds(start),
        ),
    ])
}

/// Microseconds.
fn there_and_back(core: usize, time: Duration) -> io::Result<f64> {
    let (ours, theirs) = (
        eventfd(0, EventfdFlags::empty())?,
        eventfd(0, EventfdFlags::empty())?,
    );
    let (their_end, our_end) = (theirs.try_clone()?, ours.try_clone()?);
    // Ends with the process.
    std::thread::spawn(move || {
        move_to(core);
        let mut count = [0; 8];
        while rustix::io::read(&their_end, &mut count).is_ok() {
            if rustix::io::write(&our_end, &1_u64.to_ne_bytes()).is_err() {
                return;
            }
        }
    });
    const EACH: u32 = 200;
    let (begin, mut each) = (Instant::now(), Vec::new());
    let mut count = [0; 8];
    while begin.elapsed() < time {
        let start = Instant::now();
        for _ in 0..EACH {
            rustix::io::write(&theirs, &1_u64.to_ne_bytes())?;
            rustix::io::read(&ours, &mut count)?;
        }
        each.push(seconds(start) * 1e6 / f64::from(EACH));
    }
    Ok(median(each))
}
