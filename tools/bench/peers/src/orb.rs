//! orb: static methods, and an executor that is a value. A task that is aborted cannot be waited
//! for.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use anyrt_bench::{Backend, Row};
use orb::net::{TcpListener, TcpStream};
use orb::prelude::*;
#[cfg(feature = "orb-smol")]
use orb_smol::SmolRT as R;
#[cfg(feature = "orb-tokio")]
use orb_tokio::TokioRT as R;

use crate::absent::Absent;
use crate::runner::MOMENT;

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[];

type Exec = <R as AsyncRuntime>::Exec;
type Task<T> = <Exec as AsyncExec>::AsyncJoiner<T>;
type BlockingTask<T> = <Exec as AsyncExec>::ThreadJoiner<T>;

#[derive(Clone, Copy)]
pub(crate) struct Rt;

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host(Exec);

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        Self(R::current())
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.block_on(body(Rt));
    }

    pub(crate) fn block_on_ready(&self) {
        self.0.block_on(std::future::ready(()));
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

    pub(crate) fn sleep(&self, duration: Duration) -> impl Future + Send {
        R::sleep(duration)
    }

    pub(crate) async fn timeout<F: Future + Send>(
        &self,
        duration: Duration,
        future: F,
    ) -> Option<F::Output> {
        R::timeout(duration, future).await.ok()
    }

    pub(crate) fn overdue_interval(&self) -> <R as AsyncTime>::Interval {
        // It begins one period from now: with such a period it is always overdue after a moment.
        let interval = R::interval(Duration::from_nanos(1));
        std::thread::sleep(MOMENT);
        interval
    }

    pub(crate) async fn tick(&self, interval: &mut <R as AsyncTime>::Interval) {
        interval.tick().await;
    }

    pub(crate) async fn listen(&self, address: SocketAddr) -> (TcpListener<R>, SocketAddr) {
        let listener = TcpListener::<R>::bind(&address).await.unwrap();
        let address = listener.local_addr().unwrap().parse().unwrap();
        (listener, address)
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> TcpStream<R> {
        TcpStream::<R>::connect(&address).await.unwrap()
    }

    pub(crate) async fn accept(&self, listener: &mut TcpListener<R>) -> TcpStream<R> {
        listener.accept().await.unwrap()
    }

    pub(crate) async fn read_exact(&self, stream: &mut TcpStream<R>, buffer: &mut [u8]) {
        stream.read_exact(buffer).await.unwrap();
    }

    pub(crate) async fn write_all(&self, stream: &mut TcpStream<R>, buffer: &[u8]) {
        stream.write_all(buffer).await.unwrap();
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
