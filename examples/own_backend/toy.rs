//! The toy backend: threads that run an executor and park, and one thread for the timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, LocalKey, Thread};
use std::time::{Duration, Instant};

use anyrt_async_io::executor::Executor;
use anyrt_async_io::net::{TcpListener, TcpStream, UdpSocket};
use anyrt_async_io::reactor::Reactor;
use anyrt_core::channel::Channel;
use anyrt_core::context::{Kind, Slot};
use anyrt_core::net::{FromStd, system};
use anyrt_core::runtime::{Config, Owner};
use anyrt_core::time::Sleep as _;
use anyrt_core::{Blocking, BuildError, LocalSpawner, Net, Spawner, Timer, coop};
use anyrt_kit::executor::{Engine, Host, Owned, TaskHandle, Tasks, local};

static KIND: Kind = Kind::new("toy");

// ---- How a thread waits -------------------------------------------------------------------------

// ANCHOR: host
/// Threads that park until they are woken.
#[derive(Debug)]
pub struct Parking;

impl Host for Parking {
    const KIND: &'static Kind = &KIND;

    type Handle = ToyRuntime;

    fn slot() -> &'static LocalKey<Slot<ToyRuntime>> {
        thread_local! {
            static CURRENT: Slot<ToyRuntime> = const { Slot::new() };
        }
        &CURRENT
    }

    type Executor = Executor;

    fn executor() -> Executor {
        Executor::own()
    }

    type Reactor = Arc<Reactor>;

    fn reactor(_: &Config, tasks: &Arc<Tasks>) -> io::Result<Arc<Reactor>> {
        Reactor::new(tasks)
    }

    fn end(reactor: &Arc<Reactor>) {
        reactor.end();
    }

    fn block_on(mut future: Pin<&mut dyn Future<Output = ()>>) {
        struct Unpark {
            thread: Thread,
            woken: AtomicBool,
        }
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                if !self.woken.swap(true, Ordering::SeqCst) {
                    self.thread.unpark();
                }
            }
        }
        let unpark = Arc::new(Unpark {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&unpark));
        let cx = &mut Context::from_waker(&waker);
        while future.as_mut().poll(cx).is_pending() {
            while !unpark.woken.swap(false, Ordering::SeqCst) {
                thread::park();
            }
        }
    }
}
// ANCHOR_END: host

// ---- The handle and the owner -------------------------------------------------------------------

// ANCHOR: owner
#[derive(Debug, Clone)]
pub struct ToyRuntime {
    engine: Arc<Engine<Parking>>,
}

impl From<Arc<Engine<Parking>>> for ToyRuntime {
    fn from(engine: Arc<Engine<Parking>>) -> Self {
        Self { engine }
    }
}

#[derive(Debug)]
pub struct Toy {
    owned: Owned<Parking>,
    handle: ToyRuntime,
}

impl Owner for Toy {
    type Handle = ToyRuntime;

    const KIND: &'static Kind = &KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        let owned = Engine::start(config)?;
        let handle = Arc::clone(owned.engine()).into();
        Ok(Self { owned, handle })
    }

    fn handle(&self) -> &ToyRuntime {
        &self.handle
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.engine.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _current = self.handle.engine.enter();
        scope()
    }

    fn shutdown_timeout(self, timeout: Duration) {
        self.owned.shutdown_timeout(timeout);
    }
}
// ANCHOR_END: owner

// ---- Tasks and channels: the kit's --------------------------------------------------------------

// ANCHOR: tasks
impl Spawner for ToyRuntime {
    type JoinHandle<T: Send + 'static> = TaskHandle<T>;

    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.engine.spawn(future)
    }
}

impl LocalSpawner for ToyRuntime {
    type LocalJoinHandle<T: 'static> = TaskHandle<T>;

    fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        local::spawn_local(future)
    }
}

impl Blocking for ToyRuntime {
    fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.engine.spawn_blocking(job)
    }
}

impl Channel for ToyRuntime {
    anyrt_kit::queue_channels!();
}
// ANCHOR_END: tasks

// ---- Sockets: a reactor's that works on every thread --------------------------------------------

// ANCHOR: sockets
impl Net for ToyRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.tcp_listener_from_std(system::tcp_listener(address)?)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.udp_socket_from_std(system::udp_socket(address)?)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        system::resolve(self, host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(self.engine.reactor(), address).await
    }
}

impl FromStd for ToyRuntime {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(self.engine.reactor(), listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(self.engine.reactor(), stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.engine.reactor(), socket)
    }
}
// ANCHOR_END: sockets

// ---- The clock: one thread that wakes who is due ------------------------------------------------

struct Clock {
    queue: Mutex<BinaryHeap<Reverse<Due>>>,
    sooner: Condvar,
}

/// Ordered by time only.
struct Due(Instant, Arc<Alarm>);

/// Shared by a sleep and the clock. A sleep that is reset or dropped leaves its alarm without a
/// waker.
#[derive(Debug, Default)]
struct Alarm {
    waker: Mutex<Option<Waker>>,
}

static CLOCK: LazyLock<&'static Clock> = LazyLock::new(|| {
    let clock: &'static Clock = Box::leak(Box::new(Clock {
        queue: Mutex::default(),
        sooner: Condvar::new(),
    }));
    thread::spawn(move || clock.run());
    clock
});

impl Clock {
    fn run(&self) {
        let mut queue = self.queue.lock().expect("nothing panics under the lock");
        loop {
            let now = Instant::now();
            queue = match queue.peek() {
                Some(Reverse(Due(at, _))) if *at <= now => {
                    let due = queue.pop();
                    drop(queue);
                    // Outside the lock: a waker may call this code again.
                    let alarm = due.map(|Reverse(Due(_, alarm))| alarm);
                    let waker = alarm.and_then(|alarm| alarm.waker.lock().ok()?.take());
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                    self.queue.lock().expect("nothing panics under the lock")
                }
                Some(Reverse(Due(at, _))) => {
                    let wait = *at - now;
                    let woken = self.sooner.wait_timeout(queue, wait);
                    woken.expect("nothing panics under the lock").0
                }
                None => {
                    let woken = self.sooner.wait(queue);
                    woken.expect("nothing panics under the lock")
                }
            };
        }
    }

    fn add(&self, due: Due) {
        let mut queue = self.queue.lock().expect("nothing panics under the lock");
        queue.push(Reverse(due));
        drop(queue);
        self.sooner.notify_one();
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

// ANCHOR: timer
#[derive(Debug)]
pub struct Sleep {
    deadline: Instant,
    /// The current alarm, if it was polled since the deadline was set.
    alarm: Option<Arc<Alarm>>,
}

impl Timer for ToyRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            deadline,
            alarm: None,
        }
    }
}
// ANCHOR_END: timer

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline;
        let waker = self.disarm();
        // Wakes the last waker at the new deadline without another poll, or at once if it has
        // passed.
        match waker {
            Some(waker) if self.is_elapsed() => waker.wake(),
            Some(waker) => self.arm(waker),
            None => {}
        }
    }
}

impl Sleep {
    /// Wakes `waker` at the deadline. The waker is stored before the clock is set, so that an alarm
    /// that fires at once finds it.
    fn arm(&mut self, waker: Waker) {
        let is_set = self.alarm.is_some();
        let alarm = Arc::clone(self.alarm.get_or_insert_default());
        alarm
            .waker
            .lock()
            .expect("nothing panics under the lock")
            .replace(waker);
        if !is_set {
            CLOCK.add(Due(self.deadline, alarm));
        }
    }

    /// Returns the waker, if it was not woken yet.
    fn disarm(&mut self) -> Option<Waker> {
        self.alarm.take()?.waker.lock().ok()?.take()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        coop::charged(cx, |cx| {
            if self.is_elapsed() {
                return Poll::Ready(());
            }
            self.arm(cx.waker().clone());
            // An alarm may have fired between the first check and the new waker.
            match self.is_elapsed() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        drop(self.disarm());
    }
}
