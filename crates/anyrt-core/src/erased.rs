//! A runtime without a type parameter.
//!
//! [`ErasedRuntime`] is built from any [`Runtime`] and implements it, so it can be passed wherever
//! `R: Runtime` is expected, and a library without generics can name it. It behaves like the
//! runtime inside. It costs a virtual call per operation, and allocations where a type of unknown
//! size has to be boxed:
//!
//! | operation | allocations beyond the runtime's own |
//! |---|---|
//! | `clone`, `now`, `reset` of a sleep, reads, writes, `local_addr` and the like | 0 |
//! | `spawn`, `spawn_local`, `spawn_blocking` | 2: the future (or job) and the handle |
//! | a task that ends with a value | 1, or 0 when the value has no size, such as `()` |
//! | `abort_handle` | 1; its clones are free |
//! | `sleep_until`, `sleep`, `timeout` | 1 |
//! | `interval` | 1, and 0 for each tick |
//! | `accept`, `connect_tcp_addr` | 2: the future and the stream |
//! | `into_split`, `reunite` | 2, 1 |
//! | `peek`, `connect`, `send` and `recv` of a datagram | 1: the future |
//! | `bounded`, `unbounded` | 2: both ends; clones of a sender are free |
//! | `send` on a bounded channel | 2: the value, unless it has no size, and the future |
//! | `send` on an unbounded channel, `try_send` | 1: the value, unless it has no size |
//! | `recv`, `try_recv` | 0 |

use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::net::FromStd;
use crate::runtime::Runtime;

mod channel;
mod net;
mod task;
mod time;

pub use channel::{ErasedReceiver, ErasedSender, ErasedUnboundedSender};
pub use net::{
    ErasedOwnedReadHalf, ErasedOwnedWriteHalf, ErasedTcpListener, ErasedTcpStream, ErasedUdpSocket,
};
pub use task::{ErasedAbortHandle, ErasedJoinHandle, ErasedLocalJoinHandle};
pub use time::ErasedSleep;

/// A future of unknown type.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a task ends with, or what is sent. A zero-sized value is not allocated.
type Value = Box<dyn Any + Send>;

/// Any runtime as a single type.
///
/// Like every handle, it does not keep the runtime alive.
///
/// ```
/// use anyrt_core::{ErasedRuntime, Runtime, Spawner};
///
/// /// No type parameter: this can be a method of a trait object, or a field without a bound.
/// struct Client {
///     rt: ErasedRuntime,
/// }
///
/// impl Client {
///     fn new(rt: impl Runtime) -> Self {
///         Self { rt: ErasedRuntime::new(rt) }
///     }
///
///     fn ping(&self) {
///         self.rt.spawn(async { /* … */ });
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ErasedRuntime {
    inner: Arc<dyn DynRuntime>,
    from_std: Option<Arc<dyn net::DynFromStd>>,
}

/// The object-safe part of a runtime.
trait DynRuntime:
    task::DynSpawner + time::DynTimer + net::DynNet + channel::DynChannel + fmt::Debug
{
}

impl<R: Runtime> DynRuntime for R {}

impl ErasedRuntime {
    /// Erases the type of `rt`. A runtime that is already erased is returned as it is.
    pub fn new<R: Runtime>(rt: R) -> Self {
        match (&rt as &dyn Any).downcast_ref::<Self>() {
            Some(erased) => erased.clone(),
            None => Self {
                inner: Arc::new(rt),
                from_std: None,
            },
        }
    }

    /// Like [`new`](Self::new), and keeps the runtime's conversions from sockets of the operating
    /// system.
    ///
    /// A runtime that was already erased by `new` is returned as it is, without these conversions.
    pub fn with_from_std<R: Runtime + FromStd>(rt: R) -> Self {
        match (&rt as &dyn Any).downcast_ref::<Self>() {
            Some(erased) => erased.clone(),
            None => {
                let rt = Arc::new(rt);
                Self {
                    inner: Arc::clone(&rt) as Arc<dyn DynRuntime>,
                    from_std: Some(rt),
                }
            }
        }
    }

    fn dyn_from_std(&self) -> io::Result<&dyn net::DynFromStd> {
        self.from_std.as_deref().ok_or_else(|| {
            let message =
                "the runtime was erased without its way to take over sockets; use `with_from_std`";
            io::Error::new(io::ErrorKind::Unsupported, message)
        })
    }
}

impl fmt::Debug for ErasedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedRuntime").field(&self.inner).finish()
    }
}
