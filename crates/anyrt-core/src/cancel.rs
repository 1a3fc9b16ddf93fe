//! Cancellation: a token that is cancelled once and for all, and the tree of its children.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use slab::Slab;

use crate::coop;
use crate::waiters::{Wait, Waiter, Waiters};

/// A token that tells tasks to stop.
///
/// It is cooperative: a task stops when it checks the token, with [`cancelled`](Self::cancelled) in
/// a `select!`, with [`run_until_cancelled`](Self::run_until_cancelled) or with
/// [`is_cancelled`](Self::is_cancelled). Clones are the same token. A [child](Self::child_token) is
/// cancelled with its parent, but not the parent with the child. Dropping a token does not cancel
/// it, unless it is in a [`DropGuard`].
///
/// It needs no runtime and works across runtimes and threads. Names and behaviour are those of
/// tokio-util.
///
/// # Examples
/// ```
/// use anyrt_core::{CancellationToken, JoinHandle, Runtime};
///
/// async fn serve<R: Runtime>(rt: R) {
///     let server = CancellationToken::new();
///     // Ends alone, or with the server.
///     let connection = server.child_token();
///     rt.spawn(async move {
///         connection.run_until_cancelled(async { /* requests */ }).await;
///     })
///     .detach();
///     server.cancel();
/// }
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    node: Arc<Node>,
}

impl CancellationToken {
    /// Creates a token without a parent.
    pub fn new() -> Self {
        Self::root(false)
    }

    fn root(cancelled: bool) -> Self {
        Self {
            node: Arc::new(Node {
                cancelled: AtomicBool::new(cancelled),
                waiters: Waiters::default(),
                place: Place::Root(Mutex::default()),
            }),
        }
    }

    /// Creates a child token, which is cancelled with this one or earlier by itself. If this token
    /// is already cancelled, so is the child.
    ///
    /// A dropped child uses no memory. A child may outlive the handles of its parent; it then
    /// belongs to the parent's parent.
    pub fn child_token(&self) -> Self {
        let root = Node::root(&self.node);
        let mut tree = root.lock_tree();
        // Under the lock: a concurrent cancellation is either seen here, or finds the child.
        if self.is_cancelled() {
            return Self::root(true);
        }
        let key = tree.links.vacant_key();
        let node = Arc::new(Node {
            cancelled: AtomicBool::new(false),
            waiters: Waiters::default(),
            place: Place::Child {
                root: Arc::clone(root),
                key,
            },
        });
        tree.insert(self.node.key(), Arc::downgrade(&node));
        Self { node }
    }

    /// Cancels the token and all of its descendants, once and for all.
    ///
    /// When it returns, [`is_cancelled`](Self::is_cancelled) is `true` for all of them. Waiting
    /// tasks are woken by this call, on this thread.
    pub fn cancel(&self) {
        let descendants = {
            let mut tree = self.node.lock_tree();
            if self.is_cancelled() {
                return;
            }
            let descendants = tree.take_descendants(self.node.key());
            for node in &descendants {
                node.cancelled.store(true, Ordering::Release);
            }
            // Last, so that a thread that sees it finds all descendants cancelled.
            self.node.cancelled.store(true, Ordering::Release);
            descendants
        };
        self.node.waiters.notify_all();
        for node in descendants {
            node.waiters.notify_all();
        }
    }

    /// Returns `true` if the token is cancelled. Costs one load, no lock.
    pub fn is_cancelled(&self) -> bool {
        self.node.cancelled.load(Ordering::Acquire)
    }

    /// Waits until the token is cancelled. Completes at once if it already is.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled {
            token: self,
            event: self.node.waiters.wait_first(),
        }
    }

    /// Like [`cancelled`](Self::cancelled), but owns the token.
    ///
    /// # Cancel safety
    /// Dropping the future drops the token, which does not cancel it.
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned {
            token: self,
            waiter: Waiter::FIRST,
        }
    }

    /// Runs `future` until it completes. Once the token is cancelled, drops `future` and returns
    /// `None`.
    ///
    /// If the token is already cancelled, `future` is never polled. Otherwise it is polled first,
    /// so a value that is ready at the time of the cancellation is not lost.
    ///
    /// # Cancel safety
    /// As cancel-safe as `future`, which a cancellation drops at any of its `.await`s.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        if self.is_cancelled() {
            return None;
        }
        let mut future = pin!(future);
        let mut cancelled = self.cancelled();
        std::future::poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
            // A future that used up the budget must not prevent its own cancellation.
            coop::with_unconstrained(|| Pin::new(&mut cancelled).poll(cx)).map(|()| None)
        })
        .await
    }

    /// Cancels the token when the guard is dropped.
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

/// Cancels a token on drop, including drops by a panic; see [`CancellationToken::drop_guard`].
#[derive(Debug)]
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuard {
    // `None` once disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Returns the token without cancelling it.
    pub fn disarm(mut self) -> CancellationToken {
        match self.token.take() {
            Some(token) => token,
            None => unreachable!("a guard is disarmed once"),
        }
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

/// The future of [`CancellationToken::cancelled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled<'a> {
    token: &'a CancellationToken,
    event: Wait<'a>,
}

/// The future of [`CancellationToken::cancelled_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CancelledOwned {
    token: CancellationToken,
    waiter: Waiter,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.token
            .node
            .poll_cancelled(cx, |cx| Pin::new(&mut this.event).poll(cx))
    }
}

impl Future for CancelledOwned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let node = &this.token.node;
        node.poll_cancelled(cx, |cx| node.waiters.poll(&mut this.waiter, cx))
    }
}

impl Drop for CancelledOwned {
    fn drop(&mut self) {
        self.token.node.waiters.leave(&mut self.waiter);
    }
}

/// The state that all clones of a token share.
struct Node {
    cancelled: AtomicBool,
    /// Waiters for the cancellation.
    waiters: Waiters,
    place: Place,
}

enum Place {
    /// Holds the tree. One lock for all of it, so that no lock order has to be kept.
    Root(Mutex<Tree>),
    /// `key` is its place in the tree of `root`, until it is cancelled.
    Child { root: Arc<Node>, key: usize },
}

impl Node {
    fn root(this: &Arc<Self>) -> &Arc<Self> {
        match &this.place {
            Place::Root(_) => this,
            Place::Child { root, .. } => root,
        }
    }

    fn key(&self) -> Option<usize> {
        match self.place {
            Place::Root(_) => None,
            Place::Child { key, .. } => Some(key),
        }
    }

    fn lock_tree(&self) -> MutexGuard<'_, Tree> {
        match &self.place {
            Place::Root(tree) => tree.lock().unwrap_or_else(PoisonError::into_inner),
            Place::Child { root, .. } => root.lock_tree(),
        }
    }

    fn poll_cancelled(
        &self,
        cx: &mut Context<'_>,
        poll_event: impl FnOnce(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        coop::charged(cx, |cx| {
            if self.cancelled.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            // `cancel` sets the flag first, so a cancellation missed above is seen by the waiters.
            poll_event(cx)
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Place::Child { key, .. } = self.place {
            let this: *const Self = self;
            self.lock_tree().remove_if(key, |node| node == this);
        }
    }
}

/// The descendants of a root, as lists of siblings. Nothing here recurses, however deep the tree
/// is.
#[derive(Default)]
struct Tree {
    links: Slab<Links>,
    /// The first child of the root.
    first_child: Option<usize>,
}

struct Links {
    node: Weak<Node>,
    /// `None`: the root.
    parent: Option<usize>,
    first_child: Option<usize>,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Tree {
    /// An empty tree that once held more nodes than this releases its memory.
    const KEEP: usize = 64;

    fn first_child_of(&mut self, parent: Option<usize>) -> &mut Option<usize> {
        match parent {
            Some(key) => &mut self.links[key].first_child,
            None => &mut self.first_child,
        }
    }

    fn insert(&mut self, parent: Option<usize>, node: Weak<Node>) {
        let key = self.links.insert(Links {
            node,
            parent,
            first_child: None,
            previous: None,
            next: None,
        });
        self.link(parent, key);
    }

    fn link(&mut self, parent: Option<usize>, key: usize) {
        let next = self.first_child_of(parent).replace(key);
        if let Some(next) = next {
            self.links[next].previous = Some(key);
        }
        let links = &mut self.links[key];
        (links.parent, links.previous, links.next) = (parent, None, next);
    }

    fn unlink(&mut self, key: usize) {
        let Links {
            parent,
            previous,
            next,
            ..
        } = self.links[key];
        match previous {
            Some(previous) => self.links[previous].next = next,
            None => *self.first_child_of(parent) = next,
        }
        if let Some(next) = next {
            self.links[next].previous = previous;
        }
    }

    /// Removes the node at `key`, if it is this node, and moves its children to its parent.
    fn remove_if(&mut self, key: usize, is_it: impl Fn(*const Node) -> bool) {
        // If this node was cancelled, another node may have reused the key.
        if !self.links.get(key).is_some_and(|l| is_it(l.node.as_ptr())) {
            return;
        }
        self.unlink(key);
        let removed = self.links.remove(key);
        let mut child = removed.first_child;
        while let Some(key) = child {
            child = self.links[key].next;
            self.link(removed.parent, key);
        }
        if self.links.is_empty() && self.links.capacity() > Self::KEEP {
            self.links = Slab::new();
        }
    }

    /// Removes all descendants of the node at `key` (`None`: the root) and the node itself, and
    /// returns the descendants that are alive.
    fn take_descendants(&mut self, key: Option<usize>) -> Vec<Arc<Node>> {
        let mut next = match key {
            Some(key) => {
                self.unlink(key);
                self.links.remove(key).first_child
            }
            None => self.first_child.take(),
        };
        let mut descendants = Vec::new();
        let mut parents = Vec::new();
        while let Some(key) = next {
            let links = self.links.remove(key);
            // A node that is being dropped need not be notified.
            descendants.extend(links.node.upgrade());
            parents.extend(links.first_child);
            next = links.next.or_else(|| parents.pop());
        }
        descendants
    }
}
