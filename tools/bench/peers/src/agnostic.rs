//! agnostic: static methods of a marker type.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

#[cfg(feature = "agnostic-smol")]
use agnostic::smol::SmolRuntime as R;
#[cfg(feature = "agnostic-tokio")]
use agnostic::tokio::TokioRuntime as R;

use agnostic::net::{Net, TcpListener as _, TcpStream as _, UdpSocket as _};
use agnostic::{AsyncBlockingSpawner, AsyncSpawner, LocalRuntimeLite, Runtime, RuntimeLite};
use anyrt_bench::{Backend, Row};
use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::absent::Absent;
use crate::runner::Runner;
use crate::subject::common::HOUR;

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[];

type N = <R as Runtime>::Net;
type TcpListener = <N as Net>::TcpListener;
type TcpStream = <N as Net>::TcpStream;
type UdpSocket = <N as Net>::UdpSocket;
type Task<T> = <<R as RuntimeLite>::Spawner as AsyncSpawner>::JoinHandle<T>;
type BlockingTask<T> =
    <<R as LocalRuntimeLite>::BlockingSpawner as AsyncBlockingSpawner>::JoinHandle<T>;

#[derive(Clone, Copy)]
pub(crate) struct Rt;

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host(Runner);

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        Self(Runner::new())
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.run(body(Rt));
    }

    pub(crate) fn block_on_ready(&self) {
        // On Tokio it uses the current runtime, so there must be one.
        #[cfg(feature = "tokio")]
        let _current = self.0.tokio.enter();
        R::block_on(std::future::ready(()));
    }
}

impl Rt {
    pub(crate) fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        R::spawn(future)
    }

    pub(crate) async fn join<T: Send + 'static>(&self, task: Task<T>) -> T {
        task.await.unwrap()
    }

    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        R::spawn_detach(future);
    }

    pub(crate) fn yield_now(&self) -> impl Future<Output = ()> {
        R::yield_now()
    }

    pub(crate) fn sleep(&self, duration: Duration) -> <R as RuntimeLite>::Sleep {
        R::sleep(duration)
    }

    pub(crate) async fn timeout<F: Future + Send>(
        &self,
        duration: Duration,
        future: F,
    ) -> Option<F::Output> {
        R::timeout(duration, future).await.ok()
    }

    pub(crate) fn overdue_interval(&self) -> <R as RuntimeLite>::Interval {
        R::interval_at(R::now() - HOUR, Duration::from_millis(1))
    }

    pub(crate) async fn tick(&self, interval: &mut <R as RuntimeLite>::Interval) {
        interval.next().await;
    }

    pub(crate) async fn listen(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    pub(crate) async fn accept(&self, listener: &TcpListener) -> TcpStream {
        listener.accept().await.unwrap().0
    }

    pub(crate) async fn read_exact(&self, stream: &mut TcpStream, buffer: &mut [u8]) {
        AsyncReadExt::read_exact(stream, buffer).await.unwrap();
    }

    pub(crate) async fn write_all(&self, stream: &mut TcpStream, buffer: &[u8]) {
        AsyncWriteExt::write_all(stream, buffer).await.unwrap();
    }

    pub(crate) async fn udp(&self, address: SocketAddr) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    pub(crate) async fn send_to(&self, socket: &UdpSocket, buffer: &[u8], to: SocketAddr) {
        socket.send_to(buffer, to).await.unwrap();
    }

    pub(crate) async fn recv_from(&self, socket: &UdpSocket, buffer: &mut [u8]) {
        socket.recv_from(buffer).await.unwrap();
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingTask<T> {
        R::spawn_blocking(job)
    }

    pub(crate) async fn join_blocking<T: Send + 'static>(&self, task: BlockingTask<T>) -> T {
        task.await.unwrap()
    }
}
