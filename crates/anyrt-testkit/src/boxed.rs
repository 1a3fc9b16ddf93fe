//! A runtime that gets every future and job of the cases in a box.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use anyrt_core::context::Kind;
use anyrt_core::runtime::{Config, Owner};
use anyrt_core::{
    Blocking, BuildError, Channel, FromStd, LocalSpawner, Net, Runtime, Spawner, Timer,
};

/// An owner that boxes what it runs and spawns.
///
/// A task layer is compiled for each type of future. The cases have hundreds, and a facade has a
/// task layer for each backend, so that it took as long to compile as all backends together.
#[derive(Debug)]
pub(crate) struct Boxed<O: Owner> {
    owner: O,
    handle: BoxedHandle<O::Handle>,
}

impl<O: Owner> Boxed<O> {
    pub(crate) fn new(owner: O) -> Self {
        let handle = BoxedHandle(owner.handle().clone());
        Self { owner, handle }
    }
}

impl<O: Owner> Owner for Boxed<O> {
    type Handle = BoxedHandle<O::Handle>;

    const KIND: &'static Kind = O::KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        O::build(config).map(Self::new)
    }

    fn handle(&self) -> &Self::Handle {
        &self.handle
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut output = None;
        {
            let future = pin!(async { output = Some(future.await) });
            self.owner
                .block_on(future as Pin<&mut dyn Future<Output = ()>>);
        }
        match output {
            Some(output) => output,
            None => unreachable!("block_on returned before the future was ready"),
        }
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        self.owner.enter(scope)
    }

    fn shutdown_timeout(self, timeout: Duration) {
        self.owner.shutdown_timeout(timeout);
    }

    fn shutdown_background(self) {
        self.owner.shutdown_background();
    }
}

/// The handle of a [`Boxed`] runtime.
#[derive(Clone)]
pub(crate) struct BoxedHandle<R>(R);

impl<R: Runtime> Spawner for BoxedHandle<R> {
    type JoinHandle<T: Send + 'static> = R::JoinHandle<T>;

    fn spawn<F>(&self, future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(future);
        self.0.spawn(future)
    }
}

impl<R: Runtime> LocalSpawner for BoxedHandle<R> {
    type LocalJoinHandle<T: 'static> = R::LocalJoinHandle<T>;

    fn spawn_local<F>(&self, future: F) -> Self::LocalJoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let future: Pin<Box<dyn Future<Output = F::Output>>> = Box::pin(future);
        self.0.spawn_local(future)
    }
}

impl<R: Runtime> Blocking for BoxedHandle<R> {
    fn spawn_blocking<F, T>(&self, job: F) -> Self::JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job: Box<dyn FnOnce() -> T + Send> = Box::new(job);
        self.0.spawn_blocking(job)
    }
}

impl<R: Runtime> Timer for BoxedHandle<R> {
    type Sleep = R::Sleep;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        self.0.sleep_until(deadline)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn renew(&self, sleep: Pin<&mut Self::Sleep>, deadline: Instant) {
        self.0.renew(sleep, deadline);
    }
}

impl<R: Runtime> Net for BoxedHandle<R> {
    type TcpListener = R::TcpListener;
    type TcpStream = R::TcpStream;
    type UdpSocket = R::UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<Self::TcpListener> {
        self.0.bind_tcp_addr(address)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<Self::UdpSocket> {
        self.0.bind_udp_addr(address)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.0.resolve(host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<Self::TcpStream> {
        self.0.connect_tcp_addr(address).await
    }
}

impl<R: Runtime + FromStd> FromStd for BoxedHandle<R> {
    fn tcp_listener_from_std(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Self::TcpListener> {
        self.0.tcp_listener_from_std(listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<Self::TcpStream> {
        self.0.tcp_stream_from_std(stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<Self::UdpSocket> {
        self.0.udp_socket_from_std(socket)
    }
}

impl<R: Runtime> Channel for BoxedHandle<R> {
    type Sender<T: Send + 'static> = R::Sender<T>;
    type Receiver<T: Send + 'static> = R::Receiver<T>;
    type UnboundedSender<T: Send + 'static> = R::UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = R::UnboundedReceiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        self.0.bounded(capacity)
    }

    fn unbounded<T: Send + 'static>(
        &self,
    ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>) {
        self.0.unbounded()
    }
}

impl<R: fmt::Debug> fmt::Debug for BoxedHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
