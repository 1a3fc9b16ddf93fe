//! The jobs of `compare`, one source text for the facade and for every native runtime.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Host, Rt};
use crate::subject::Backend;
use crate::subject::common::{HOUR, Turn};
use crate::work::{
    Dialogue, Figure, HTTP_ANSWER, Work, context_switches, cpu_time, median, move_to, resident,
    seconds,
};

/// Runs the job on a runtime of one thread.
pub fn work(backend: Backend, work: Work) -> Vec<Figure> {
    let host = Host::new(backend);
    let figures = Arc::new(Mutex::new(Vec::new()));
    let report = Report(Arc::clone(&figures));
    match work {
        Work::Spawn1000(time) => host.run(move |rt| spawn_1000(rt, time, report)),
        Work::Yield { tasks, time } => host.run(move |rt| yields(rt, tasks, time, report)),
        Work::Wake(time) => host.run(move |rt| wake(rt, time, report)),
        Work::WakeAcross { core, time } => {
            host.run(move |_| wake_across(core, time, report));
        }
        Work::Blocking { core, time } => host.run(move |rt| blocking(rt, core, time, report)),
        Work::Memory(tasks) => host.run(move |rt| memory(rt, tasks, report)),
        Work::Timers(timers) => host.run(move |rt| fire(rt, timers, report)),
        Work::Idle(time) => host.run(move |rt| idle(rt, time, report)),
        Work::Files { .. } => panic!("files have a module of their own"),
        Work::Serve(Dialogue::Echo) => host.run(echo),
        Work::Serve(Dialogue::Http) => host.run(http),
    }
    let figures = std::mem::take(&mut *figures.lock().unwrap());
    // Waiting tasks need not be dropped: the process ends.
    std::mem::forget(host);
    figures
}

struct Report(Arc<Mutex<Vec<Figure>>>);

impl Report {
    fn figure(&self, name: &'static str, value: f64) {
        self.0.lock().unwrap().push((name, value));
    }
}

async fn spawn_1000(rt: Rt, time: Duration, report: Report) {
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        let tasks: Vec<_> = (0..1000).map(|i| rt.spawn(async move { i })).collect();
        for task in tasks {
            rt.join(task).await;
        }
        each.push(seconds(start) * 1e6);
    }
    report.figure("spawn", median(each));
}

async fn yields(rt: Rt, tasks: usize, time: Duration, report: Report) {
    const EACH: usize = 2_000;
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        let all: Vec<_> = (0..tasks)
            .map(|_| {
                let task = rt.clone();
                rt.spawn(async move {
                    for _ in 0..EACH {
                        task.yield_now().await;
                    }
                })
            })
            .collect();
        for task in all {
            rt.join(task).await;
        }
        each.push(seconds(start) * 1e9 / (tasks * EACH) as f64);
    }
    report.figure("switch", median(each));
}

async fn wake(rt: Rt, time: Duration, report: Report) {
    const EACH: usize = 10_000;
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        let (ours, theirs) = (Turn::default(), Turn::default());
        let other = rt.spawn({
            let (ours, theirs) = (ours.clone(), theirs.clone());
            async move {
                for _ in 0..EACH {
                    theirs.take().await;
                    ours.give();
                }
            }
        });
        for _ in 0..EACH {
            theirs.give();
            ours.take().await;
        }
        rt.join(other).await;
        each.push(seconds(start) * 1e9 / (2 * EACH) as f64);
    }
    report.figure("wake", median(each));
}

/// The other side is a thread that parks, so that one direction belongs to the runtime and the
/// other to the system.
async fn wake_across(core: usize, time: Duration, report: Report) {
    const EACH: usize = 200;
    let (ours, theirs) = (Turn::default(), Arc::new(AtomicBool::new(false)));
    let other = std::thread::spawn({
        let (ours, theirs) = (ours.clone(), Arc::clone(&theirs));
        move || {
            move_to(core);
            loop {
                while !theirs.swap(false, Ordering::AcqRel) {
                    std::thread::park();
                }
                ours.give();
            }
        }
    });
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        for _ in 0..EACH {
            theirs.store(true, Ordering::Release);
            other.thread().unpark();
            ours.take().await;
        }
        each.push(seconds(start) * 1e6 / EACH as f64);
    }
    report.figure("across", median(each));
}

async fn blocking(rt: Rt, core: usize, time: Duration, report: Report) {
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        rt.join_blocking(rt.spawn_blocking(move || move_to(core)))
            .await;
        each.push(seconds(start) * 1e6);
    }
    report.figure("blocking", median(each));
}

/// Waits forever, as a task that waits for a message does: with its waker kept.
#[derive(Default)]
struct Parked {
    waker: Option<Waker>,
}

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

async fn memory(rt: Rt, tasks: usize, report: Report) {
    let before = resident();
    for i in 0..tasks {
        rt.spawn_detached(Parked::default());
        if i % 1000 == 0 {
            rt.yield_now().await;
        }
    }
    // Behind all of them in the queue.
    rt.join(rt.spawn(async {})).await;
    let used = resident() - before;
    report.figure("per-task", used / tasks as f64);
    report.figure("total", used / 1e6);
}

async fn fire(rt: Rt, timers: usize, report: Report) {
    let before = cpu_time("self").unwrap();
    let start = Instant::now();
    // Later than the start of the last one.
    let after = Duration::from_micros(3 * timers as u64);
    let mut tasks = Vec::with_capacity(timers);
    for _ in 0..timers {
        let task = rt.clone();
        let left = after.saturating_sub(start.elapsed());
        tasks.push(rt.spawn(async move {
            task.sleep(left).await;
        }));
    }
    rt.yield_now().await;
    report.figure("create", seconds(start) * 1e3);
    for task in tasks {
        rt.join(task).await;
    }
    report.figure(
        "cpu",
        (cpu_time("self").unwrap() - before).as_secs_f64() * 1e3,
    );
}

async fn idle(rt: Rt, time: Duration, report: Report) {
    for _ in 0..1000 {
        let task = rt.clone();
        rt.spawn_detached(async move {
            task.sleep(HOUR).await;
        });
    }
    rt.sleep(Duration::from_millis(50)).await;
    let (before, switches, start) = (
        cpu_time("self").unwrap(),
        context_switches("self").unwrap(),
        Instant::now(),
    );
    rt.sleep(time).await;
    let used = (cpu_time("self").unwrap() - before).as_secs_f64() * 1e3;
    report.figure("idle", used / seconds(start));
    report.figure(
        "switches",
        (context_switches("self").unwrap() - switches) / seconds(start),
    );
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn echo(rt: Rt) {
    let (listener, address) = rt.listen(ANY_PORT).await;
    println!("{address}");
    loop {
        let mut stream = rt.accept(&listener).await;
        rt.set_nodelay(&stream);
        let task = rt.clone();
        rt.spawn_detached(async move {
            let mut buffer = [0; 4096];
            loop {
                let read = task.read(&mut stream, &mut buffer).await;
                if read == 0 || !task.try_write_all(&mut stream, &buffer[..read]).await {
                    return;
                }
            }
        });
    }
}

/// The minimum that a keep-alive client accepts: one answer for each empty line.
async fn http(rt: Rt) {
    let (listener, address) = rt.listen(ANY_PORT).await;
    println!("{address}");
    loop {
        let mut stream = rt.accept(&listener).await;
        rt.set_nodelay(&stream);
        let task = rt.clone();
        rt.spawn_detached(async move {
            let (mut buffer, mut filled) = ([0; 4096], 0);
            loop {
                let read = task.read(&mut stream, &mut buffer[filled..]).await;
                if read == 0 {
                    return;
                }
                filled += read;
                while let Some(end) = buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
                    if !task.try_write_all(&mut stream, HTTP_ANSWER).await {
                        return;
                    }
                    buffer.copy_within(end + 4..filled, 0);
                    filled -= end + 4;
                }
            }
        });
    }
}
