//! The traits of the core, with the handle of one backend: code as a library writes it.

use std::future::Future;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::runtime::{Builder, Owner as _};
use anyrt_core::time::Interval;
use anyrt_core::{
    Blocking, Channel, JoinHandle as _, JoinSet, Net, Spawner, TcpListener as _, Timer,
    UdpSocket as _,
};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::{BACKEND, File, Handle, Owner, from_std};
use crate::subject::Backend;
use crate::subject::common::HOUR;

type Task<T> = <Handle as Spawner>::JoinHandle<T>;
type Sender<T> = <Handle as Channel>::Sender<T>;
type Receiver<T> = <Handle as Channel>::Receiver<T>;
type TcpListener = <Handle as Net>::TcpListener;
type TcpStream = <Handle as Net>::TcpStream;
type UdpSocket = <Handle as Net>::UdpSocket;

#[derive(Clone)]
pub struct Rt(Handle);

pub struct Host(Owner);

impl Host {
    pub fn new(_: Backend) -> Self {
        Self(Builder::<Owner>::new_current_thread().build().unwrap())
    }

    pub fn run<F>(&self, body: impl FnOnce(Rt) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let rt = self.0.handle().clone();
        let body = body(Rt(rt.clone()));
        if const { BACKEND.body_is_a_task() } {
            self.0.block_on(rt.spawn(body)).unwrap();
        } else {
            self.0.block_on(body);
        }
    }

    pub fn block_on_ready(&self) {
        self.0.block_on(std::future::ready(()));
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

    pub async fn join<T: Send + 'static>(&self, task: Task<T>) -> T {
        task.await.unwrap()
    }

    pub fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.spawn(future));
    }

    pub async fn abort<T: Send + 'static>(&self, task: Task<T>) {
        task.abort();
        assert!(task.await.is_err());
    }

    pub fn yield_now(&self) -> impl Future<Output = ()> {
        anyrt_core::task::yield_now()
    }

    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        self.0.sleep(duration)
    }

    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        self.0.timeout(duration, future).await.ok()
    }

    pub fn overdue_interval(&self) -> Interval<Handle> {
        let start = self.0.now() - HOUR;
        self.0.interval_at(start, Duration::from_millis(1))
    }

    pub async fn tick(&self, interval: &mut Interval<Handle>) {
        interval.tick().await;
    }

    pub fn channel<T: Send + 'static>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        self.0.bounded(capacity)
    }

    pub async fn send<T: Send + 'static>(&self, sender: &Sender<T>, value: T) {
        assert!(sender.send(value).await.is_ok());
    }

    pub async fn recv<T: Send + 'static>(&self, receiver: &mut Receiver<T>) -> Option<T> {
        receiver.recv().await
    }

    pub async fn listen(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = self.0.bind_tcp(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    pub async fn connect(&self, address: SocketAddr) -> TcpStream {
        self.0.connect_tcp(address).await.unwrap()
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

    pub async fn write_vectored(&self, stream: &mut TcpStream, slices: [&[u8]; 4]) -> usize {
        stream
            .write_vectored(&slices.map(IoSlice::new))
            .await
            .unwrap()
    }

    pub async fn udp(&self, address: SocketAddr) -> (UdpSocket, SocketAddr) {
        let socket = self.0.bind_udp(address).await.unwrap();
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
        self.0.spawn_blocking(job)
    }

    pub async fn join_blocking<T: Send + 'static>(&self, task: Task<T>) -> T {
        task.await.unwrap()
    }

    pub async fn open(&self, path: &Path) -> File {
        from_std(std::fs::File::open(path).unwrap(), Some(self.0.clone()))
    }

    pub async fn create(&self, path: &Path) -> File {
        from_std(std::fs::File::create(path).unwrap(), Some(self.0.clone()))
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

    pub fn join_set<T: Send + 'static>(&self) -> JoinSet<T, Task<T>> {
        JoinSet::new()
    }

    pub fn spawn_in<T: Send + 'static>(
        &self,
        set: &mut JoinSet<T, Task<T>>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        set.spawn_on(&self.0, future);
    }

    pub async fn join_next<T: Send + 'static>(&self, set: &mut JoinSet<T, Task<T>>) -> Option<T> {
        set.join_next().await.map(Result::unwrap)
    }
}
