//! Smol, natively: its executor on the thread that waits in its reactor, as its own examples write
//! it.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use smol::fs::File;
use smol::net::{TcpListener, TcpStream, UdpSocket};
use smol::prelude::*;
use smol::{Executor, Task, Timer, channel};

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
pub struct Rt(&'static Executor<'static>);

pub struct Host(&'static Executor<'static>);

impl Host {
    pub fn new(_: Backend) -> Self {
        Self(Box::leak(Box::default()))
    }

    pub fn run<F>(&self, body: impl FnOnce(Rt) -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        smol::block_on(self.0.run(body(Rt(self.0))));
    }

    pub fn block_on_ready(&self) {
        smol::block_on(self.0.run(std::future::ready(())));
    }
}

impl Rt {
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    pub async fn join<T>(&self, task: Task<T>) -> T {
        task.await
    }

    pub fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future).detach();
    }

    pub async fn abort<T>(&self, task: Task<T>) {
        assert!(task.cancel().await.is_none());
    }

    pub fn yield_now(&self) -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    pub fn sleep(&self, duration: Duration) -> impl Future {
        Timer::after(duration)
    }

    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        let elapsed = async {
            Timer::after(duration).await;
            None
        };
        smol::future::or(async { Some(future.await) }, elapsed).await
    }

    pub fn overdue_interval(&self) -> Timer {
        Timer::interval_at(std::time::Instant::now() - HOUR, Duration::from_millis(1))
    }

    pub async fn tick(&self, interval: &mut Timer) {
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
    ) -> Task<T> {
        smol::unblock(job)
    }

    pub async fn join_blocking<T>(&self, task: Task<T>) -> T {
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

    pub fn join_set<T: Send + 'static>(&self) -> FuturesUnordered<Task<T>> {
        FuturesUnordered::new()
    }

    pub fn spawn_in<T: Send + 'static>(
        &self,
        set: &mut FuturesUnordered<Task<T>>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        set.push(self.spawn(future));
    }

    pub async fn join_next<T: Send + 'static>(
        &self,
        set: &mut FuturesUnordered<Task<T>>,
    ) -> Option<T> {
        set.next().await
    }
}
