//! Glommio, natively: everything stays on its thread, and the channel is the local one.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
use glommio::channels::local_channel::{self, LocalReceiver, LocalSender};
use glommio::io::BufferedFile;
use glommio::net::{TcpListener, TcpStream, UdpSocket};
use glommio::timer::{self, Interval};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, Task, executor};

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

pub struct Host(LocalExecutor);

impl Host {
    pub fn new(_: Backend) -> Self {
        let builder = LocalExecutorBuilder::new(Placement::Unbound);
        Self(builder.io_memory(64 * 1024).make().unwrap())
    }

    pub fn run<F>(&self, body: impl FnOnce(Rt) -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        self.0.run(body(Rt));
    }

    pub fn block_on_ready(&self) {
        self.0.run(std::future::ready(()));
    }
}

impl Rt {
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        glommio::spawn_local(future)
    }

    pub async fn join<T>(&self, task: Task<T>) -> T {
        task.await
    }

    pub fn spawn_detached(&self, future: impl Future<Output = ()> + 'static) {
        drop(self.spawn(future).detach());
    }

    pub async fn abort<T>(&self, task: Task<T>) {
        assert!(task.cancel().await.is_none());
    }

    pub async fn yield_now(&self) {
        executor().yield_task_queue_now().await;
    }

    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        timer::sleep(duration)
    }

    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        glommio::future::timeout(duration, future).await.ok()
    }

    pub fn overdue_interval(&self) -> Interval {
        timer::interval_at(std::time::Instant::now() - HOUR, Duration::from_millis(1))
    }

    pub async fn tick(&self, interval: &mut Interval) {
        interval.tick().await;
    }

    pub fn channel<T>(&self, capacity: usize) -> (Rc<LocalSender<T>>, LocalReceiver<T>) {
        let (sender, receiver) = local_channel::new_bounded(capacity);
        (Rc::new(sender), receiver)
    }

    pub async fn send<T>(&self, sender: &Rc<LocalSender<T>>, value: T) {
        assert!(sender.send(value).await.is_ok());
    }

    pub async fn recv<T>(&self, receiver: &mut LocalReceiver<T>) -> Option<T> {
        receiver.recv().await
    }

    pub async fn listen(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    pub async fn connect(&self, address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    pub async fn accept(&self, listener: &TcpListener) -> TcpStream {
        listener.accept().await.unwrap()
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
        let socket = UdpSocket::bind(address).unwrap();
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
    ) -> impl Future<Output = T> {
        executor().spawn_blocking(job)
    }

    pub async fn join_blocking<T>(&self, task: impl Future<Output = T>) -> T {
        task.await
    }

    pub async fn open(&self, path: &Path) -> (BufferedFile, u64) {
        (BufferedFile::open(path).await.unwrap(), 0)
    }

    pub async fn create(&self, path: &Path) -> (BufferedFile, u64) {
        (BufferedFile::create(path).await.unwrap(), 0)
    }

    pub async fn read_file(&self, file: &mut (BufferedFile, u64), buffer: &mut [u8]) {
        let (file, position) = file;
        let read = file.read_at(*position, buffer.len()).await.unwrap();
        buffer.copy_from_slice(&read);
        *position += buffer.len() as u64;
    }

    pub async fn write_file(&self, file: &mut (BufferedFile, u64), buffer: &[u8]) {
        let (file, position) = file;
        let written = file.write_at(buffer.to_vec(), *position).await.unwrap();
        assert_eq!(written, buffer.len());
        *position += written as u64;
    }

    pub async fn close(&self, file: (BufferedFile, u64)) {
        file.0.close().await.unwrap();
    }

    pub fn join_set<T: 'static>(&self) -> FuturesUnordered<Task<T>> {
        FuturesUnordered::new()
    }

    pub fn spawn_in<T: 'static>(
        &self,
        set: &mut FuturesUnordered<Task<T>>,
        future: impl Future<Output = T> + 'static,
    ) {
        set.push(self.spawn(future));
    }

    pub async fn join_next<T: 'static>(&self, set: &mut FuturesUnordered<Task<T>>) -> Option<T> {
        set.next().await
    }
}
