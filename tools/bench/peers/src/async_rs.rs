//! async-rs: a value that spawns, sleeps and connects. It has no listener, so `std` creates the
//! accepting end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::time::{Duration, Instant};

use anyrt_bench::{Backend, Row};
use async_rs::Runtime;
#[cfg(feature = "async-rs-smol")]
use async_rs::Smol as Kit;
#[cfg(feature = "async-rs-tokio")]
use async_rs::Tokio as Kit;
use async_rs::traits::{Executor, Reactor};
use async_rs::util::Task as AnyTask;
use futures_util::{AsyncReadExt, AsyncWriteExt, Stream, StreamExt};

use crate::absent::Absent;
use crate::runner::{MOMENT, Runner};

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[Row::TcpConnect];

type Task<T> = AnyTask<<Kit as Executor>::Task<T>>;
type TcpStream = <Kit as Reactor>::TcpStream;

#[derive(Clone)]
pub(crate) struct Rt(Runtime<Kit>);

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host {
    rt: Rt,
    #[cfg(feature = "smol")]
    runner: Runner,
}

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        #[cfg(feature = "tokio")]
        return Self {
            rt: Rt(Runtime::tokio_with_runtime(Runner::new().tokio)),
        };
        #[cfg(feature = "smol")]
        Self {
            rt: Rt(Runtime::smol()),
            runner: Runner::new(),
        }
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let body = body(self.rt.clone());
        #[cfg(feature = "tokio")]
        self.rt.0.block_on(body);
        #[cfg(feature = "smol")]
        self.runner.run(body);
    }

    pub(crate) fn block_on_ready(&self) {
        self.rt.0.block_on(std::future::ready(()));
    }
}

impl Rt {
    pub(crate) fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    pub(crate) async fn join<T: Send + 'static>(&self, task: Task<T>) -> T {
        task.await
    }

    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }

    pub(crate) async fn abort<T: Send + 'static>(&self, mut task: Task<T>) {
        assert!(task.cancel().await.is_none());
    }

    pub(crate) fn sleep(&self, duration: Duration) -> <Kit as Reactor>::Sleep {
        self.0.sleep(duration)
    }

    pub(crate) fn overdue_interval(&self) -> impl Stream<Item = Instant> + Unpin + Send {
        // It begins now: with such a period it is always overdue after a moment.
        let interval = Box::pin(self.0.interval(Duration::from_nanos(1)));
        std::thread::sleep(MOMENT);
        interval
    }

    pub(crate) async fn tick(&self, interval: &mut (impl Stream<Item = Instant> + Unpin)) {
        interval.next().await;
    }

    pub(crate) async fn listen(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> TcpStream {
        self.0.tcp_connect_addr(address).await.unwrap()
    }

    /// The same type as the other end's, so that both are the peer's.
    pub(crate) async fn accept(&self, listener: &mut TcpListener) -> TcpStream {
        let stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        #[cfg(feature = "tokio")]
        {
            stream.set_nonblocking(true).unwrap();
            async_compat::Compat::new(tokio::net::TcpStream::from_std(stream).unwrap())
        }
        #[cfg(feature = "smol")]
        smol::Async::new(stream).unwrap()
    }

    pub(crate) async fn read_exact(&self, stream: &mut TcpStream, buffer: &mut [u8]) {
        AsyncReadExt::read_exact(stream, buffer).await.unwrap();
    }

    pub(crate) async fn write_all(&self, stream: &mut TcpStream, buffer: &[u8]) {
        AsyncWriteExt::write_all(stream, buffer).await.unwrap();
    }

    #[cfg(feature = "smol")]
    pub(crate) async fn write_vectored(&self, stream: &mut TcpStream, slices: [&[u8]; 4]) -> usize {
        let slices = slices.map(std::io::IoSlice::new);
        AsyncWriteExt::write_vectored(stream, &slices)
            .await
            .unwrap()
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        self.0.spawn_blocking(job)
    }

    pub(crate) async fn join_blocking<T: Send + 'static>(&self, task: Task<T>) -> T {
        task.await
    }
}
