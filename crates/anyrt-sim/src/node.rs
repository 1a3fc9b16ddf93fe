//! Nodes: the machines of a simulation, each with a name, addresses, a clock and tasks of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use anyrt_kit::executor::Tasks;
use pin_project_lite::pin_project;

use crate::clock::Clock;
use crate::failure::{FailureKind, place};
use crate::runtime::SimRuntime;
use crate::scheduler::Kind;
use crate::signal::Signals;
use crate::task;
use crate::trace::Event;
use crate::wait::{self, Wait};
use crate::world::{self, World};

/// The name of the node that `block_on` runs on.
pub(crate) const MAIN: &str = "main";

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type Program = Arc<dyn Fn() -> BoxFuture + Send + Sync>;

/// The state of a node.
pub(crate) struct NodeState {
    id: usize,
    name: String,
    clock: Arc<Clock>,
    inner: Mutex<Inner>,
}

struct Inner {
    life: Arc<Life>,
    up: bool,
    /// The program of a host.
    program: Option<Program>,
    /// The offset of the wall clock in nanoseconds.
    clock_offset: i64,
}

/// The time between a start of a node and its end. Each task belongs to one life.
#[derive(Debug)]
pub(crate) struct Life {
    tasks: Arc<Tasks>,
    locals: Mutex<Vec<Weak<Tasks>>>,
    pub(crate) signals: Signals,
}

impl Life {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: Tasks::new(),
            locals: Mutex::default(),
            signals: Signals::default(),
        })
    }

    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    /// Returns a list for tasks that stay on a thread.
    pub(crate) fn local_tasks(&self) -> Arc<Tasks> {
        let tasks = Tasks::new();
        let mut locals = self.locals.lock().unwrap_or_else(PoisonError::into_inner);
        locals.retain(|tasks| tasks.strong_count() > 0);
        locals.push(Arc::downgrade(&tasks));
        drop(locals);
        if self.tasks.is_closed() {
            tasks.close();
        }
        tasks
    }

    /// Aborts all tasks, including future ones.
    pub(crate) fn close(&self) {
        self.tasks.close();
        for tasks in self.locals() {
            tasks.close();
        }
    }

    /// Wakes all tasks, as a spurious wake-up does.
    pub(crate) fn wake_all(&self) {
        self.tasks.wake_all();
        for tasks in self.locals() {
            tasks.wake_all();
        }
    }

    fn locals(&self) -> Vec<Arc<Tasks>> {
        let locals = self.locals.lock().unwrap_or_else(PoisonError::into_inner);
        locals.iter().filter_map(Weak::upgrade).collect()
    }
}

impl NodeState {
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn life(&self) -> Arc<Life> {
        Arc::clone(&self.lock().life)
    }

    /// Returns `true` if that is its present life.
    pub(crate) fn is_alive(&self, life: &Arc<Life>) -> bool {
        let inner = self.lock();
        inner.up && Arc::ptr_eq(&inner.life, life)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn clock_offset(&self) -> i64 {
        self.lock().clock_offset
    }

    pub(crate) fn ipv4(&self) -> Ipv4Addr {
        ipv4(self.id)
    }

    pub(crate) fn ipv6(&self) -> Ipv6Addr {
        let [high, low] = number(self.id);
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, u16::from(high), u16::from(low))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the last two bytes of a node's address. Node 0 has number 1: no address ends in 0.
fn number(id: usize) -> [u8; 2] {
    let number = id + 1;
    [(number / 250) as u8, (number % 250) as u8]
}

fn ipv4(id: usize) -> Ipv4Addr {
    let [high, low] = number(id);
    Ipv4Addr::new(10, 0, high, low)
}

impl fmt::Debug for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeState")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All nodes of a world.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    list: Vec<Arc<NodeState>>,
    by_name: BTreeMap<String, usize>,
    /// Blocking jobs end with the simulation, not with their node.
    jobs: Arc<Tasks>,
    /// The number of running clients, and the wakers of the tasks that wait for their end.
    clients: usize,
    waiting: Vec<Waker>,
}

/// In parts per million: half or one and a half times the normal speed.
const MOST_DRIFT: i32 = 500_000;

/// A higher number would share an address.
const MOST: usize = 250 * 250;

impl Nodes {
    pub(crate) fn add(&mut self, name: &str, clock: Arc<Clock>) -> Arc<NodeState> {
        assert!(
            !self.by_name.contains_key(name),
            "a node named {name:?} exists already"
        );
        assert!(
            self.list.len() < MOST,
            "a simulation has at most {MOST} nodes"
        );
        let id = self.list.len();
        let node = Arc::new(NodeState {
            id,
            name: name.to_owned(),
            clock,
            inner: Mutex::new(Inner {
                life: Life::new(),
                up: true,
                program: None,
                clock_offset: 0,
            }),
        });
        self.list.push(Arc::clone(&node));
        self.by_name.insert(name.to_owned(), id);
        node
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<NodeState>> {
        self.by_name.get(name).map(|&id| Arc::clone(&self.list[id]))
    }

    pub(crate) fn get(&self, id: usize) -> Option<Arc<NodeState>> {
        self.list.get(id).map(Arc::clone)
    }

    pub(crate) fn find_ip(&self, ip: IpAddr) -> Option<usize> {
        let number = match ip {
            IpAddr::V4(ip) => match ip.octets() {
                [10, 0, high, low] => [high, low],
                _ => return None,
            },
            IpAddr::V6(ip) => match ip.segments() {
                [0xfd00, 0, 0, 0, 0, 0, high, low] => {
                    [u8::try_from(high).ok()?, u8::try_from(low).ok()?]
                }
                _ => return None,
            },
        };
        let [high, low] = number.map(usize::from);
        let id = (high * 250 + low).checked_sub(1)?;
        (low < 250 && id < self.list.len()).then_some(id)
    }

    pub(crate) fn main(&self) -> Weak<NodeState> {
        self.list.first().map(Arc::downgrade).unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Vec<Arc<NodeState>> {
        self.list.clone()
    }

    pub(crate) fn jobs(&self) -> Arc<Tasks> {
        Arc::clone(&self.jobs)
    }
}

/// A handle to a node: crashes and restarts it and returns its addresses.
#[derive(Clone)]
pub struct Node {
    world: Arc<World>,
    state: Arc<NodeState>,
}

impl Node {
    pub(crate) fn new(world: &Arc<World>, state: &Arc<NodeState>) -> Self {
        Self {
            world: Arc::clone(world),
            state: Arc::clone(state),
        }
    }

    pub(crate) fn state(&self) -> &Arc<NodeState> {
        &self.state
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Returns the name, which also resolves to its addresses.
    pub fn name(&self) -> &str {
        self.state.name()
    }

    /// Returns the IPv4 address.
    pub fn ip(&self) -> IpAddr {
        self.state.ipv4().into()
    }

    /// Returns the IPv6 address.
    pub fn ipv6(&self) -> IpAddr {
        self.state.ipv6().into()
    }

    /// Returns a handle that spawns tasks and opens sockets on the node. It belongs to the present
    /// life of the node: after a crash, tasks that it spawns are dropped.
    pub fn runtime(&self) -> SimRuntime {
        SimRuntime::of(&self.world, &self.state)
    }

    /// Returns `true` if the node can be restarted.
    pub(crate) fn is_host(&self) -> bool {
        self.state.lock().program.is_some()
    }

    /// Returns `true` if the node is up.
    pub fn is_up(&self) -> bool {
        self.state.lock().up
    }

    /// Ends everything that runs on the node immediately, as `kill -9` does: futures are dropped
    /// without notice, and the system closes the sockets. Written data stays in the files. Does
    /// nothing if the node is down.
    ///
    /// If a task of the node calls it, that task ends at its next `.await`. Blocking jobs that have
    /// begun run to their end.
    pub fn crash(&self) {
        if self.is_up() && self.suffers("a crash of") {
            self.end(true);
        }
    }

    /// As [`crash`](Self::crash), but the machine loses power. Peers are not notified: their
    /// requests time out, or the restarted node resets their connections. Of its
    /// [files](crate::fs), unsynced changes are lost, completely or in part, even if the node is
    /// down already because its program has ended.
    pub fn power_off(&self) {
        let concerns = self.is_up() || self.world.has_disk(self.state.id);
        if concerns && self.suffers("a power failure of") {
            self.end(false);
        }
    }

    /// Returns `true` if a fault that the test asks for happens in this execution.
    pub(crate) fn suffers(&self, what: &str) -> bool {
        let text = || format!("{what} {}", self.name());
        let nanos = self.world.nanos();
        self.world.injected.by_test(nanos, self.state.id, text)
    }

    /// Ends everything that runs on the node.
    pub(crate) fn end(&self, says_goodbye: bool) {
        if std::mem::replace(&mut self.state.lock().up, false) {
            self.end_life(says_goodbye);
        }
        if says_goodbye {
            return;
        }
        let now = self.runtime().system_time();
        if let Err(error) = self.world.lose_unsynced(self.state.id, now) {
            let message = format!("the disk of {:?} cannot be changed: {error}", self.name());
            self.world.fail(FailureKind::Panic, message);
        }
    }

    fn end_life(&self, says_goodbye: bool) {
        let rt = self.runtime();
        self.world.note(Event::Node(self.state.id as u64 * 8));
        // First, so that destructors cannot send.
        let mut woken = Vec::new();
        self.world
            .net()
            .end_node(self.state.id, says_goodbye, self.world.nanos(), &mut woken);
        world::wake(woken);
        self.world.end_disk_use(self.state.id);
        task::end_life(&rt);
    }

    /// Starts the node again: calls a host's closure once more. Does nothing if the node is up.
    ///
    /// # Panics
    /// Panics on a client, which has no closure to call again.
    pub fn restart(&self) {
        let (program, rt) = {
            let mut inner = self.state.lock();
            if inner.up {
                return;
            }
            let Some(program) = inner.program.clone() else {
                drop(inner);
                panic!(
                    "the node {:?} is no host, so it cannot be restarted",
                    self.name()
                );
            };
            inner.up = true;
            inner.life = Life::new();
            (program, inner.life.clone())
        };
        drop(rt);
        self.world.net().start_node(self.state.id);
        // The restarted machine is not paused, even if it was before.
        self.world.scheduler().pause(self.state.id, false);
        self.world.note(Event::Node(self.state.id as u64 * 8 + 1));
        start(&self.world, &self.state, program, Location::caller());
    }

    /// Stops the node's tasks until [`resume`](Self::resume). Its system continues: received data
    /// is kept in the buffers of its sockets.
    ///
    /// # Panics
    /// Panics on the node that `block_on` runs on.
    pub fn pause(&self) {
        assert!(
            self.state.id != 0,
            "the main node cannot be paused: it runs the test"
        );
        if self.suffers("a pause of") {
            self.stand_still();
        }
    }

    pub(crate) fn stand_still(&self) {
        self.world.note(Event::Node(self.state.id as u64 * 8 + 2));
        self.world.scheduler().pause(self.state.id, true);
    }

    /// Lets the tasks run again.
    pub fn resume(&self) {
        self.world.note(Event::Node(self.state.id as u64 * 8 + 3));
        self.world.scheduler().pause(self.state.id, false);
    }

    /// Sets the offset of the node's [`system_time`](SimRuntime::system_time) from the correct
    /// time, in nanoseconds.
    pub fn set_clock_offset(&self, nanos: i64) {
        // Correcting the clock is not a fault.
        if nanos == 0 || self.suffers("a wrong clock of") {
            self.put_clock(nanos);
        }
    }

    /// Makes the node's clocks (the monotonic clock, its timers and its wall clock) too fast by
    /// this many parts per million from now on, or too slow if negative. The clocks continue from
    /// their present values; 0 stops the drift but does not correct them.
    ///
    /// Real clocks drift by up to some hundreds of parts per million; a larger drift finds faults
    /// sooner. Instants of two nodes whose clocks drift apart cannot be compared.
    ///
    /// # Panics
    /// Panics unless the value is from -500,000 to 500,000.
    pub fn set_clock_drift(&self, parts_per_million: i32) {
        assert!(
            (-MOST_DRIFT..=MOST_DRIFT).contains(&parts_per_million),
            "the drift of the clock of {:?} must be from -{MOST_DRIFT} to {MOST_DRIFT} parts per million, not \
             {parts_per_million}",
            self.name()
        );
        // As above.
        if parts_per_million == 0 || self.suffers("a drift of the clock of") {
            self.drift(parts_per_million);
        }
    }

    pub(crate) fn drift(&self, parts_per_million: i32) {
        let mut agenda = self.world.agenda();
        let clock = self.state.clock();
        clock.set_drift(self.world.nanos(), parts_per_million);
        agenda.plan(self.state.id);
        drop(agenda);
        self.world.nudge();
    }

    pub(crate) fn put_clock(&self, nanos: i64) {
        self.state.lock().clock_offset = nanos;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name())
            .field("ip", &self.ip())
            .field("up", &self.is_up())
            .finish()
    }
}

/// Adds a node that runs `program` when it is started, and starts it.
pub(crate) fn host<P, F>(
    world: &Arc<World>,
    name: &str,
    program: P,
    location: &'static Location<'static>,
) -> Node
where
    P: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let state = world.add_node(name);
    let program: Program = Arc::new(move || Box::pin(program()));
    state.lock().program = Some(Arc::clone(&program));
    start(world, &state, program, location);
    Node::new(world, &state)
}

/// Adds a node that runs `future` once.
pub(crate) fn client<F>(
    world: &Arc<World>,
    name: &str,
    future: F,
    location: &'static Location<'static>,
) -> Node
where
    F: Future<Output = ()> + Send + 'static,
{
    let state = world.add_node(name);
    world.nodes().clients += 1;
    spawn_main(world, &state, Box::pin(future), true, location);
    Node::new(world, &state)
}

fn start(
    world: &Arc<World>,
    state: &Arc<NodeState>,
    program: Program,
    location: &'static Location<'static>,
) {
    // The closure runs on the node, as the first action of its main task.
    let main = Box::pin(async move { program().await });
    spawn_main(world, state, main, false, location);
}

fn spawn_main(
    world: &Arc<World>,
    state: &Arc<NodeState>,
    future: BoxFuture,
    client: bool,
    location: &'static Location<'static>,
) {
    let rt = SimRuntime::of(world, state);
    let end = MainEnd {
        node: Node::new(world, state),
        life: Arc::clone(rt.life()),
        client,
    };
    let tasks = Arc::clone(rt.life().tasks());
    let main = Main { future, end };
    drop(task::spawn_on(&rt, &tasks, Kind::Main, main, location));
}

/// Waits until all clients have ended.
pub(crate) struct Clients {
    pub(crate) world: Arc<World>,
}

impl Future for Clients {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut nodes = self.world.nodes();
        if nodes.clients == 0 {
            return Poll::Ready(());
        }
        if !nodes
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            nodes.waiting.push(cx.waker().clone());
        }
        wait::note(Wait::Clients);
        Poll::Pending
    }
}

pin_project! {
    /// The main future of a node: a panic in it fails the simulation, and its end ends the node.
    struct Main {
        #[pin]
        future: BoxFuture,
        end: MainEnd,
    }
}

/// Dropped with the main future, however it ends.
struct MainEnd {
    node: Node,
    life: Arc<Life>,
    client: bool,
}

impl Future for Main {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        place::note_panics();
        let polled = catch_unwind(AssertUnwindSafe(|| this.future.poll(cx)));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => {}
            Err(payload) => {
                let text = match payload.downcast_ref::<&str>() {
                    Some(text) => (*text).to_owned(),
                    None => payload
                        .downcast_ref::<String>()
                        .cloned()
                        .unwrap_or_else(|| "(no text)".to_owned()),
                };
                let name = this.end.node.name();
                let place = place::take();
                let message = match &place {
                    Some(place) => format!("the node {name:?} panicked at {place}: {text}"),
                    None => format!("the node {name:?} panicked: {text}"),
                };
                this.end.node.world.panicked(message, place);
            }
        }
        Poll::Ready(())
    }
}

impl Drop for MainEnd {
    fn drop(&mut self) {
        if self.client {
            let waiting = {
                let mut nodes = self.node.world.nodes();
                nodes.clients -= 1;
                std::mem::take(&mut nodes.waiting)
            };
            world::wake(waiting);
        }
        // A process whose main function returns ends its tasks. After a crash this is another life.
        if Arc::ptr_eq(&self.life, &self.node.state.life()) {
            self.node.end(true);
        }
    }
}
