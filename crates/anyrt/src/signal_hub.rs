//! Distributes signals of the system to listeners, for runtimes without their own signal handling.
//!
//! Signals belong to the process and outlive runtimes, so one thread of the process waits for all
//! of them. The first listener starts it; it sleeps until a signal arrives.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::io;
use std::os::raw::c_int;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;

use ::tokio::sync::watch;
use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::{Handle, Signals};

use crate::backend::affinity::unbound;

/// The listeners for one kind of signal.
struct Listeners {
    /// Each signal that arrives is a new version.
    listeners: watch::Sender<()>,
    hook: Option<fn()>,
}

static HUB: Mutex<Option<Hub>> = Mutex::new(None);

struct Hub {
    handle: Handle,
    kinds: HashMap<c_int, Listeners>,
}

/// The first number without a slot in signal-hook.
const TOO_LARGE: c_int = 128;

/// Starts to listen for a signal. The process handles it from then on, permanently.
pub(crate) fn listen(signal: c_int) -> io::Result<Listener> {
    with_kind(signal, |kind| Listener {
        received: kind.listeners.subscribe(),
        waiting: None,
    })
}

/// Calls `hook` on the hub's thread each time the signal arrives. One hook per kind of signal.
#[cfg(feature = "process")]
pub(crate) fn call(signal: c_int, hook: fn()) -> io::Result<()> {
    with_kind(signal, |kind| kind.hook = Some(hook))
}

fn with_kind<T>(signal: c_int, f: impl FnOnce(&mut Listeners) -> T) -> io::Result<T> {
    if signal <= 0 || FORBIDDEN.contains(&signal) {
        return Err(io::Error::other(format!(
            "Refusing to register signal {signal}"
        )));
    }
    if signal >= TOO_LARGE {
        return Err(io::Error::other("signal too large"));
    }
    let mut hub = lock();
    let hub = match &mut *hub {
        Some(hub) => hub,
        none => none.insert(Hub::start()?),
    };
    Ok(f(match hub.kinds.entry(signal) {
        Entry::Occupied(kind) => kind.into_mut(),
        Entry::Vacant(place) => {
            hub.handle.add_signal(signal)?;
            place.insert(Listeners {
                listeners: watch::Sender::new(()),
                hook: None,
            })
        }
    }))
}

impl Hub {
    fn start() -> io::Result<Self> {
        let mut signals = Signals::new([0; 0])?;
        let handle = signals.handle();
        let thread = thread::Builder::new().name("anyrt-signals".to_owned());
        unbound(|| thread.spawn(move || signals.forever().for_each(announce)))?;
        Ok(Self {
            handle,
            kinds: HashMap::new(),
        })
    }
}

fn announce(signal: c_int) {
    let kind = lock().as_ref().and_then(|hub| {
        let kind = hub.kinds.get(&signal)?;
        Some((kind.listeners.clone(), kind.hook))
    });
    // Outside the lock, because wakers and hooks run arbitrary code.
    if let Some((listeners, hook)) = kind {
        listeners.send_replace(());
        if let Some(hook) = hook {
            hook();
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Hub>> {
    HUB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener for one kind of signal. Signals that arrive between two calls are merged.
#[allow(dead_code, reason = "a simulated node has signals of its own")]
pub(crate) struct Listener {
    received: watch::Receiver<()>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

#[allow(dead_code, reason = "a simulated node has signals of its own")]
impl Listener {
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let received = &self.received;
        let waiting = self.waiting.get_or_insert_with(|| {
            let mut received = received.clone();
            Box::pin(async move {
                // The sender is never dropped: the hub lives as long as the process.
                let _ = received.changed().await;
            })
        });
        ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        self.received.mark_unchanged();
        Poll::Ready(Some(()))
    }
}

opaque_debug!(Listener);
