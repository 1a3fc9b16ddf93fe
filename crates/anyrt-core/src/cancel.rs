//! Asking tasks to stop: a token that is cancelled once and for all, and the tree of its children.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use slab::Slab;

use crate::coop;
use crate::waiters::{Wait, Waiter, Waiters};

/// Tells tasks that they should stop.
///
/// It only tells: a task stops when it looks, by [`cancelled`](Self::cancelled) in a `select!`, by
/// [`run_until_cancelled`](Self::run_until_cancelled) or by [`is_cancelled`](Self::is_cancelled). Clones are the
/// same token. A [child](Self::child_token) is cancelled with its parent, but not the parent with the child.
/// Dropping a token cancels nothing, unless it is in a [`DropGuard`].
///
/// It needs no runtime, and works across runtimes and plain threads. It is tokio-util's in name and behaviour.
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
    /// A token that nobody cancelled yet, without a parent.
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

    /// A token that is cancelled with this one, or earlier by itself; at once when this one is cancelled already.
    ///
    /// Children that were dropped leave nothing behind, and a child outlives its parent's handles: it then hangs on
    /// the parent's parent.
    pub fn child_token(&self) -> Self {
        let root = Node::root(&self.node);
        let mut tree = root.lock_tree();
        // Under the lock: a cancellation either comes first and is seen here, or finds the child.
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

    /// Cancels the token and all its children, and theirs, once and for all.
    ///
    /// When it returns, [`is_cancelled`](Self::is_cancelled) holds for all of them. Tasks that wait are woken by this
    /// call, on this thread.
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
            // Last, so that whoever sees it finds the whole family cancelled.
            self.node.cancelled.store(true, Ordering::Release);
            descendants
        };
        self.node.waiters.notify_all();
        for node in descendants {
            node.waiters.notify_all();
        }
    }

    /// Whether the token is cancelled. One load, no lock.
    pub fn is_cancelled(&self) -> bool {
        self.node.cancelled.load(Ordering::Acquire)
    }

    /// Waits until the token is cancelled; at once when it is already.
    ///
    /// # Cancel safety
    /// Holds nothing; dropping it loses nothing.
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled {
            token: self,
            event: self.node.waiters.wait_first(),
        }
    }

    /// As [`cancelled`](Self::cancelled), owning the token.
    ///
    /// # Cancel safety
    /// Dropping it drops the token with it, which cancels nothing.
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned {
            token: self,
            waiter: Waiter::FIRST,
        }
    }

    /// Runs `future` until it is ready, or drops it and gives `None` once the token is cancelled.
    ///
    /// On a token that is cancelled already `future` is never polled; later on it is polled first, so a value that is
    /// ready at the time of the cancellation is not lost.
    ///
    /// # Cancel safety
    /// As safe as `future`, which the cancellation drops at any of its `.await`s.
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
            // A future that used up the budget must not keep itself from being cancelled.
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

/// Cancels a token when it is dropped, also by a panic; see [`CancellationToken::drop_guard`].
#[derive(Debug)]
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuard {
    // `None` once disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back and cancels nothing.
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

/// What all clones of a token share.
struct Node {
    cancelled: AtomicBool,
    /// Their one event is the cancellation.
    waiters: Waiters,
    place: Place,
}

enum Place {
    /// Keeps the tree. One lock for all of it, so that there is no order of locks to keep.
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
            // `cancel` sets the flag first, so what was missed above is seen by the waiters.
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

/// The descendants of a root, as lists of siblings. Nothing in here recurses, however deep it is.
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
    /// An empty tree that once held more than this gives its memory back.
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

    /// Takes out the node at `key`, if it is the one, and hangs its children on its parent.
    fn remove_if(&mut self, key: usize, is_it: impl Fn(*const Node) -> bool) {
        // Another node may have the key by now, if this one was cancelled.
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

    /// Takes out the node at `key` (`None`: the root) and all below it, and gives those below that are alive.
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
            // One that is being dropped right now needs no word of it.
            descendants.extend(links.node.upgrade());
            parents.extend(links.first_child);
            next = links.next.or_else(|| parents.pop());
        }
        descendants
    }
}
