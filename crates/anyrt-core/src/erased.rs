//! A runtime without a type parameter.
//!
//! [`ErasedRuntime`] is built from any [`Runtime`](crate::Runtime) and implements it, so it can be
//! passed wherever `R: Runtime` is expected, and a library without generics can name it. It behaves
//! like the runtime inside. It costs a virtual call per operation, and allocations where a type of
//! unknown size has to be boxed:
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
use std::pin::Pin;

mod channel;
mod net;
mod runtime;
mod task;
mod time;

pub use channel::{ErasedReceiver, ErasedSender, ErasedUnboundedSender};
pub use net::{
    ErasedOwnedReadHalf, ErasedOwnedWriteHalf, ErasedTcpListener, ErasedTcpStream, ErasedUdpSocket,
};
pub use runtime::ErasedRuntime;
pub use task::{ErasedAbortHandle, ErasedJoinHandle, ErasedLocalJoinHandle};
pub use time::ErasedSleep;

/// A future of unknown type.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a task ends with, or what is sent. A zero-sized value is not allocated.
type Value = Box<dyn Any + Send>;
