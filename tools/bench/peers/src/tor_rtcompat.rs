//! tor-rtcompat: a value that does everything. A task with a handle is a `RemoteHandle`, which
//! cannot be waited for once it is aborted.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use anyrt_bench::{Backend, Row};
use futures_util::future::RemoteHandle;
use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
#[cfg(feature = "tor-rtcompat-async-std")]
use tor_rtcompat::async_std::PreferredRuntime as R;
#[cfg(feature = "tor-rtcompat-smol")]
use tor_rtcompat::smol::PreferredRuntime as R;
#[cfg(feature = "tor-rtcompat-tokio")]
use tor_rtcompat::tokio::PreferredRuntime as R;
use tor_rtcompat::{
    Blocking, NetStreamListener, NetStreamProvider, SleepProvider, SleepProviderExt, SpawnExt,
    ToplevelBlockOn, UdpProvider, UdpSocket as _,
};

use crate::absent::Absent;
#[cfg(not(feature = "smol"))]
use crate::runner::Runner;

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[];

type Listener = <R as NetStreamProvider>::Listener;
type Incoming = <Listener as NetStreamListener>::Incoming;
type TcpStream = <R as NetStreamProvider>::Stream;
type UdpSocket = <R as UdpProvider>::UdpSocket;
type BlockingTask<T> = <R as Blocking>::ThreadHandle<T>;

#[derive(Clone)]
pub(crate) struct Rt(R);

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host {
    rt: Rt,
    #[cfg(not(feature = "smol"))]
    runner: Runner,
}

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        #[cfg(not(feature = "smol"))]
        let runner = Runner::new();
        Self {
            #[cfg(feature = "tokio")]
            rt: Rt(runner.tokio.handle().clone().into()),
            #[cfg(not(feature = "tokio"))]
            rt: Rt(R::create().unwrap()),
            #[cfg(not(feature = "smol"))]
            runner,
        }
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let body = body(self.rt.clone());
        // Its own `block_on` runs the tasks on Smol alone.
        #[cfg(not(feature = "smol"))]
        self.runner.run(body);
        #[cfg(feature = "smol")]
        self.rt.0.block_on(body);
    }

    pub(crate) fn block_on_ready(&self) {
        self.rt.0.block_on(std::future::ready(()));
    }
}

impl Rt {
    pub(crate) fn spawn<F>(&self, future: F) -> RemoteHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn_with_handle(future).unwrap()
    }

    pub(crate) async fn join<T: 'static>(&self, task: RemoteHandle<T>) -> T {
        task.await
    }

    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future).unwrap();
    }

    pub(crate) fn yield_now(&self) -> impl Future<Output = ()> {
        tor_rtcompat::task::yield_now()
    }

    pub(crate) fn sleep(&self, duration: Duration) -> <R as SleepProvider>::SleepFuture {
        self.0.sleep(duration)
    }

    pub(crate) async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Option<F::Output> {
        self.0.timeout(duration, future).await.ok()
    }

    pub(crate) async fn listen(&self, address: SocketAddr) -> (Incoming, SocketAddr) {
        let listener: Listener = self.0.listen(&address, &Default::default()).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener.incoming(), address)
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> TcpStream {
        self.0.connect(&address, &Default::default()).await.unwrap()
    }

    pub(crate) async fn accept(&self, listener: &mut Incoming) -> TcpStream {
        listener.next().await.unwrap().unwrap().0
    }

    pub(crate) async fn read_exact(&self, stream: &mut TcpStream, buffer: &mut [u8]) {
        stream.read_exact(buffer).await.unwrap();
    }

    pub(crate) async fn write_all(&self, stream: &mut TcpStream, buffer: &[u8]) {
        stream.write_all(buffer).await.unwrap();
    }

    pub(crate) async fn udp(&self, address: SocketAddr) -> (UdpSocket, SocketAddr) {
        let socket = self.0.bind(&address).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    pub(crate) async fn send_to(&self, socket: &UdpSocket, buffer: &[u8], to: SocketAddr) {
        socket.send(buffer, &to).await.unwrap();
    }

    pub(crate) async fn recv_from(&self, socket: &UdpSocket, buffer: &mut [u8]) {
        socket.recv(buffer).await.unwrap();
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingTask<T> {
        self.0.spawn_blocking(job)
    }

    pub(crate) async fn join_blocking<T: Send + 'static>(&self, task: BlockingTask<T>) -> T {
        task.await
    }
}
