//! The operations that a peer lacks: each peer's `Rt` dereferences to this type, so its own methods
//! take precedence.

use std::future::Future;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Ends the program with a message.
pub(crate) fn absent() -> ! {
    println!("absent");
    std::process::exit(0)
}

pub(crate) struct Absent;

/// A socket, a timer or a set that is never created.
#[derive(Clone)]
pub(crate) struct Nothing;

impl Absent {
    pub(crate) async fn abort<T>(&self, _: T) {
        absent()
    }

    pub(crate) async fn yield_now(&self) {
        absent()
    }

    pub(crate) async fn sleep(&self, _: Duration) {
        absent()
    }

    pub(crate) async fn timeout<F: Future>(&self, _: Duration, _: F) -> Option<F::Output> {
        absent()
    }

    pub(crate) fn overdue_interval(&self) -> Nothing {
        absent()
    }

    pub(crate) async fn tick<I>(&self, _: &mut I) {
        absent()
    }

    pub(crate) fn channel<T>(&self, _: usize) -> (PhantomData<T>, PhantomData<T>) {
        absent()
    }

    pub(crate) async fn send<T>(&self, _: &PhantomData<T>, _: T) {
        absent()
    }

    pub(crate) async fn recv<T>(&self, _: &mut PhantomData<T>) -> Option<T> {
        absent()
    }

    pub(crate) async fn open(&self, _: &Path) -> Nothing {
        absent()
    }

    pub(crate) async fn create(&self, _: &Path) -> Nothing {
        absent()
    }

    pub(crate) async fn read_file(&self, _: &mut Nothing, _: &mut [u8]) {
        absent()
    }

    pub(crate) async fn write_file(&self, _: &mut Nothing, _: &[u8]) {
        absent()
    }

    pub(crate) async fn close(&self, _: Nothing) {
        absent()
    }

    pub(crate) async fn listen(&self, _: SocketAddr) -> (Nothing, SocketAddr) {
        absent()
    }

    pub(crate) async fn connect(&self, _: SocketAddr) -> Nothing {
        absent()
    }

    pub(crate) async fn accept(&self, _: &mut Nothing) -> Nothing {
        absent()
    }

    pub(crate) async fn read_exact<S>(&self, _: &mut S, _: &mut [u8]) {
        absent()
    }

    pub(crate) async fn write_all<S>(&self, _: &mut S, _: &[u8]) {
        absent()
    }

    pub(crate) async fn write_vectored<S>(&self, _: &mut S, _: [&[u8]; 4]) -> usize {
        absent()
    }

    pub(crate) async fn udp(&self, _: SocketAddr) -> (Nothing, SocketAddr) {
        absent()
    }

    pub(crate) async fn send_to<S>(&self, _: &S, _: &[u8], _: SocketAddr) {
        absent()
    }

    pub(crate) async fn recv_from<S>(&self, _: &S, _: &mut [u8]) {
        absent()
    }

    pub(crate) fn spawn_blocking<T>(&self, _: impl FnOnce() -> T) -> PhantomData<T> {
        absent()
    }

    pub(crate) async fn join_blocking<T>(&self, _: PhantomData<T>) -> T {
        absent()
    }

    pub(crate) fn join_set<T>(&self) -> PhantomData<T> {
        absent()
    }

    pub(crate) fn spawn_in<T>(&self, _: &mut PhantomData<T>, _: impl Future<Output = T>) {
        absent()
    }

    pub(crate) async fn join_next<T>(&self, _: &mut PhantomData<T>) -> Option<T> {
        absent()
    }
}
