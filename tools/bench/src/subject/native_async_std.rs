//! async-std, natively. Set `ASYNC_STD_THREAD_COUNT=1`, so that there is one thread that runs
//! tasks.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_std::channel;
use async_std::fs::File;
use async_std::net::{TcpListener, TcpStream, UdpSocket};
use async_std::prelude::*;
use async_std::stream::{Interval, interval};
use async_std::task::{self, JoinHandle};

use futures_util::stream::FuturesUnordered;

use crate::subject::Backend;

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

pub struct Host;

impl Host {
    pub fn new(_: Backend) -> Self {
        Self
    }

    // A task, since `block_on` runs none.
    pub fn run<F>(&self, body: impl FnOnce(Rt) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        task::block_on(task::spawn(body(Rt)));
    }

    pub fn block_on_ready(&self) {
        task::block_on(std::future::ready(()));
    }
}

impl Rt {
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(future)
    }

    pub async fn join<T>(&self, task: JoinHandle<T>) -> T {
        task.await
    }

    pub fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.spawn(future));
    }

    pub async fn abort<T>(&self, task: JoinHandle<T>) {
        assert!(task.cancel().await.is_none());
    }

    pub fn yield_now(&self) -> impl Future<Output = ()> {
        task::yield_now()
    }

    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        task::sleep(duration)
    }

    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        async_std::future::timeout(duration, future).await.ok()
    }

    pub fn overdue_interval(&self) -> Interval {
        // Its start cannot be chosen; the shortest period is always over.
        interval(Duration::from_nanos(1))
    }

    pub async fn tick(&self, interval: &mut Interval) {
        interval.next().await;
    }

    pub fn channel<T>(&self, capacity: usize) -> (channel::Sender<T>, channel::Receiver<T>) {
        channel::bounded(capacity)
    }

    pub async fn send<T>(&self, sender: &channel::Sender<T>, value: T) {
        assert!(sender.send(value).await.is_ok());
    }

    pub async fn recv<T>(&self, receiver: &mut channel::Receiver<T>) -> Option<T> {
        receiver.recv().await.ok()
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
        task::spawn_blocking(job)
    }

    pub async fn join_blocking<T>(&self, task: JoinHandle<T>) -> T {
        task.await
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

    pub fn join_set<T: Send + 'static>(&self) -> FuturesUnordered<JoinHandle<T>> {
        FuturesUnordered::new()
    }

    pub fn spawn_in<T: Send + 'static>(
        &self,
        set: &mut FuturesUnordered<JoinHandle<T>>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        set.push(self.spawn(future));
    }

    pub async fn join_next<T: Send + 'static>(
        &self,
        set: &mut FuturesUnordered<JoinHandle<T>>,
    ) -> Option<T> {
        set.next().await
    }
}
