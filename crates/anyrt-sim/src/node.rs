//! Nodes: the machines of a simulation, each with a name, addresses, a clock and tasks of its own.

mod faults;

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
use crate::failure::place;
use crate::runtime::SimRuntime;
use crate::scheduler::Kind;
use crate::signal::{self, Signals};
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

impl Node {
    /// Sends the node a signal, by Linux's number. Does nothing if the node is down.
    ///
    /// Its listeners receive the signal. Without any listener since the node started, most kinds
    /// [crash](Self::crash) the node, as `SIGKILL` always does; `SIGSTOP` [pauses](Self::pause) it
    /// and `SIGCONT` [resumes](Self::resume) it.
    ///
    /// # Panics
    /// Panics if there is no signal of that number.
    pub fn signal(&self, number: i32) {
        assert!(
            (1..=signal::LAST).contains(&number),
            "there is no signal {number}"
        );
        if !self.is_up() {
            return;
        }
        self.world().note(Event::Signal(
            (self.state().id() as u64) << 8 | number.unsigned_abs() as u64,
        ));
        match number {
            signal::KILL => return self.crash(),
            signal::STOP => return self.pause(),
            signal::CONT => self.resume(),
            _ => {}
        }
        let is_heard = self.state().life().signals.tell(number);
        if !is_heard && number != signal::CONT && !signal::IGNORED.contains(&number) {
            self.crash();
        }
    }
}
