//! The facade: code as an application writes it.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyrt::fs::File;
use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream, UdpSocket};
use anyrt::runtime::{Builder, Runtime};
use anyrt::sync::mpsc;
use anyrt::task::{JoinHandle, JoinSet};

use crate::subject::Backend;
use crate::subject::common::HOUR;

#[path = "ops.rs"]
mod ops;
#[cfg(feature = "cli")]
#[path = "work.rs"]
mod work;

pub use ops::{repeat, run};
#[cfg(feature = "cli")]
pub use work::work;

#[derive(Clone, Copy)]
pub struct Rt;

pub struct Host {
    runtime: Runtime,
    backend: Backend,
}

impl Host {
    pub fn new(backend: Backend) -> Self {
        Self {
            runtime: Builder::new_current_thread()
                .backend(backend.name().parse().unwrap())
                .build()
                .unwrap(),
            backend,
        }
    }

    pub fn run<F>(&self, body: impl FnOnce(Rt) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Boxed; otherwise the compiler would not inline it where it occurs twice.
        let body: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(body(Rt));
        if self.backend.body_is_a_task() {
            self.runtime.block_on(self.runtime.spawn(body)).unwrap();
        } else {
            self.runtime.block_on(body);
        }
    }

    pub fn block_on_ready(&self) {
        self.runtime.block_on(std::future::ready(()));
    }
}

impl Rt {
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        anyrt::spawn(future)
    }

    pub async fn join<T>(&self, task: JoinHandle<T>) -> T {
        task.await.unwrap()
    }

    pub fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.spawn(future));
    }

    pub async fn abort<T>(&self, task: JoinHandle<T>) {
        task.abort();
        assert!(task.await.is_err());
    }

    pub fn yield_now(&self) -> impl Future<Output = ()> {
        anyrt::task::yield_now()
    }

    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        anyrt::time::sleep(duration)
    }

    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        anyrt::time::timeout(duration, future).await.ok()
    }

    pub fn overdue_interval(&self) -> anyrt::time::Interval {
        let start = anyrt::time::Instant::now() - HOUR;
        anyrt::time::interval_at(start, Duration::from_millis(1))
    }

    pub async fn tick(&self, interval: &mut anyrt::time::Interval) {
        interval.tick().await;
    }

    pub fn channel<T>(&self, capacity: usize) -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
        mpsc::channel(capacity)
    }

    pub async fn send<T>(&self, sender: &mpsc::Sender<T>, value: T) {
        assert!(sender.send(value).await.is_ok());
    }

    pub async fn recv<T>(&self, receiver: &mut mpsc::Receiver<T>) -> Option<T> {
        receiver.recv().await
    }

    pub async fn listen(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    pub async fn connect(&self, address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    pub async fn accept(&self, listener: &TcpListener) -> TcpStream {
        listener.accept().await.unwrap().0
    }

    pub async fn read_exact(&self, stream: &mut TcpStream, buffer: &mut [u8]) {
        stream.read_exact(buffer).await.unwrap();
    }

    pub async fn write_all(&self, stream: &mut TcpStream, buffer: &[u8]) {
        stream.write_all(buffer).await.unwrap();
    }

    pub async fn read(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
        stream.read(buffer).await.unwrap_or(0)
    }

    pub async fn try_write_all(&self, stream: &mut TcpStream, buffer: &[u8]) -> bool {
        stream.write_all(buffer).await.is_ok()
    }

    pub fn set_nodelay(&self, stream: &TcpStream) {
        stream.set_nodelay(true).unwrap();
    }

    pub async fn write_vectored(&self, stream: &mut TcpStream, slices: [&[u8]; 4]) -> usize {
        stream
            .write_vectored(&slices.map(IoSlice::new))
            .await
            .unwrap()
    }

    pub async fn udp(&self, address: SocketAddr) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    pub async fn send_to(&self, socket: &UdpSocket, buffer: &[u8], to: SocketAddr) {
        socket.send_to(buffer, to).await.unwrap();
    }

    pub async fn recv_from(&self, socket: &UdpSocket, buffer: &mut [u8]) {
        socket.recv_from(buffer).await.unwrap();
    }

    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        anyrt::task::spawn_blocking(job)
    }

    pub async fn join_blocking<T>(&self, task: JoinHandle<T>) -> T {
        task.await.unwrap()
    }

    pub async fn open(&self, path: &Path) -> File {
        File::open(path).await.unwrap()
    }

    pub async fn create(&self, path: &Path) -> File {
        File::create(path).await.unwrap()
    }

    pub async fn read_file(&self, file: &mut File, buffer: &mut [u8]) {
        file.read_exact(buffer).await.unwrap();
    }

    pub async fn write_file(&self, file: &mut File, buffer: &[u8]) {
        file.write_all(buffer).await.unwrap();
    }

    pub async fn close(&self, mut file: File) {
        file.flush().await.unwrap();
    }

    pub fn join_set<T: Send + 'static>(&self) -> JoinSet<T> {
        JoinSet::new()
    }

    pub fn spawn_in<T: Send + 'static>(
        &self,
        set: &mut JoinSet<T>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        set.spawn(future);
    }

    pub async fn join_next<T: Send + 'static>(&self, set: &mut JoinSet<T>) -> Option<T> {
        set.join_next().await.map(Result::unwrap)
    }
}
