//! The erased runtime, with the traits of the core.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Value;
use super::channel::{DynChannel, ErasedReceiver, ErasedSender, ErasedUnboundedSender};
use super::net::{DynFromStd, DynNet, ErasedTcpListener, ErasedTcpStream, ErasedUdpSocket};
use super::task::{DynSpawner, ErasedJoinHandle, ErasedLocalJoinHandle, erase, erase_local};
use super::time::{DynTimer, ErasedSleep};
use crate::blocking::Blocking;
use crate::channel::Channel;
use crate::net::{FromStd, Net};
use crate::runtime::Runtime;
use crate::task::{LocalSpawner, Spawner};
use crate::time::Timer;

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
    from_std: Option<Arc<dyn DynFromStd>>,
}

/// The object-safe part of a runtime.
trait DynRuntime: DynSpawner + DynTimer + DynNet + DynChannel + fmt::Debug {}

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

    fn dyn_from_std(&self) -> io::Result<&dyn DynFromStd> {
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

impl Spawner for ErasedRuntime {
    type JoinHandle<T: Send + 'static> = ErasedJoinHandle<T>;

    fn spawn<F>(&self, future: F) -> ErasedJoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        ErasedJoinHandle::new(self.inner.dyn_spawn(erase(future)))
    }
}

impl LocalSpawner for ErasedRuntime {
    type LocalJoinHandle<T: 'static> = ErasedLocalJoinHandle<T>;

    fn spawn_local<F>(&self, future: F) -> ErasedLocalJoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        ErasedLocalJoinHandle::new(self.inner.dyn_spawn_local(erase_local(future)))
    }
}

impl Blocking for ErasedRuntime {
    fn spawn_blocking<F, T>(&self, job: F) -> ErasedJoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = || Box::new(job()) as Value;
        ErasedJoinHandle::new(self.inner.dyn_spawn_blocking(Box::new(job)))
    }
}

impl Timer for ErasedRuntime {
    type Sleep = ErasedSleep;

    fn now(&self) -> Instant {
        self.inner.dyn_now()
    }

    fn sleep_until(&self, deadline: Instant) -> ErasedSleep {
        ErasedSleep::new(self.inner.dyn_sleep_until(deadline))
    }

    // One virtual call instead of two, and the runtime's own `sleep` is used.
    fn sleep(&self, duration: Duration) -> ErasedSleep {
        ErasedSleep::new(self.inner.dyn_sleep(duration))
    }
}

impl Net for ErasedRuntime {
    type TcpListener = ErasedTcpListener;
    type TcpStream = ErasedTcpStream;
    type UdpSocket = ErasedUdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<ErasedTcpListener> {
        self.inner.dyn_bind_tcp(address)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<ErasedUdpSocket> {
        self.inner.dyn_bind_udp(address)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.inner.dyn_resolve(host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<ErasedTcpStream> {
        self.inner.dyn_connect_tcp(address).await
    }
}

/// Fails with [`io::ErrorKind::Unsupported`] unless the runtime was created by
/// [`ErasedRuntime::with_from_std`].
impl FromStd for ErasedRuntime {
    fn tcp_listener_from_std(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<ErasedTcpListener> {
        self.dyn_from_std()?.dyn_tcp_listener(listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<ErasedTcpStream> {
        self.dyn_from_std()?.dyn_tcp_stream(stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<ErasedUdpSocket> {
        self.dyn_from_std()?.dyn_udp_socket(socket)
    }
}

impl Channel for ErasedRuntime {
    type Sender<T: Send + 'static> = ErasedSender<T>;
    type Receiver<T: Send + 'static> = ErasedReceiver<T>;
    type UnboundedSender<T: Send + 'static> = ErasedUnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = ErasedReceiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (ErasedSender<T>, ErasedReceiver<T>) {
        let (sender, receiver) = self.inner.dyn_bounded(capacity);
        (ErasedSender::new(sender), ErasedReceiver::new(receiver))
    }

    fn unbounded<T: Send + 'static>(&self) -> (ErasedUnboundedSender<T>, ErasedReceiver<T>) {
        let (sender, receiver) = self.inner.dyn_unbounded();
        (
            ErasedUnboundedSender::new(sender),
            ErasedReceiver::new(receiver),
        )
    }
}
