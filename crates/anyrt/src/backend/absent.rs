//! Stands in for a backend that is not enabled: the same names, types without values, functions that nobody can
//! call.

use std::convert::Infallible;

use anyrt_core::context::Kind;

pub(crate) static KIND: Kind = Kind::new("absent");
pub(crate) const ENABLED: bool = false;

pub(crate) use runtime::{EnterGuard, Handle, Runtime};

/// Types that nothing is ever a value of; they are `Send`, `Sync` and `Unpin` as those that they stand in for.
macro_rules! absent {
    ($($name:ident $(<$T:ident>)?)*) => {$(
        pub(crate) struct $name $(<$T>)? (super::Infallible $(, std::marker::PhantomData<std::sync::Mutex<$T>>)?);

        impl $(<$T>)? Unpin for $name $(<$T>)? {}

        impl $(<$T>)? Clone for $name $(<$T>)? {
            fn clone(&self) -> Self {
                super::never()
            }
        }

        impl $(<$T>)? std::fmt::Debug for $name $(<$T>)? {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                super::never()
            }
        }
    )*};
}

/// Only reached with a value of a type that has none.
fn never() -> ! {
    unreachable!("a backend that is not enabled was used")
}

pub(crate) mod runtime {
    use std::future::Future;
    use std::marker::PhantomData;
    use std::sync::Arc;
    use std::sync::MutexGuard;
    use std::time::Duration;

    use anyrt_core::BuildError;
    use anyrt_core::context::Kind;
    use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};
    use anyrt_core::time::clock::Clock;

    use super::{Infallible, never};

    absent!(Handle Runtime);

    #[derive(Debug)]
    pub(crate) struct EnterGuard<'a>(Infallible, PhantomData<MutexGuard<'a, ()>>);

    impl Handle {
        pub(crate) fn try_current() -> Option<Self> {
            None
        }

        pub(crate) fn with_current<T>(_: impl FnOnce(&Self) -> T) -> Option<T> {
            None
        }

        pub(crate) fn block_in_place<T>(&self, _: impl FnOnce() -> T) -> T {
            never()
        }

        pub(crate) fn name(&self) -> Option<&str> {
            never()
        }

        pub(crate) fn clock(&self) -> Option<&Arc<Clock>> {
            never()
        }

        pub(crate) fn enter(&self) -> EnterGuard<'_> {
            never()
        }

        pub(crate) fn block_on<F: Future>(&self, _: F) -> F::Output {
            never()
        }
    }

    impl Metrics for Handle {
        fn id(&self) -> Id {
            never()
        }

        fn flavor(&self) -> Flavor {
            never()
        }

        fn num_workers(&self) -> usize {
            never()
        }

        fn worker_index(&self) -> Option<usize> {
            never()
        }

        fn num_alive_tasks(&self) -> usize {
            never()
        }

        fn global_queue_depth(&self) -> usize {
            never()
        }

        fn worker(&self, _: usize) -> WorkerStats {
            never()
        }

        fn blocking(&self) -> Option<BlockingStats> {
            never()
        }
    }

    impl Owner for Runtime {
        type Handle = Handle;

        const KIND: &'static Kind = &super::KIND;

        fn build(_: &Config) -> Result<Self, BuildError> {
            never()
        }

        fn handle(&self) -> &Handle {
            never()
        }

        fn block_on<F: Future>(&self, _: F) -> F::Output {
            never()
        }

        fn enter<T>(&self, _: impl FnOnce() -> T) -> T {
            never()
        }

        fn shutdown_timeout(self, _: Duration) {
            never()
        }
    }
}

pub(crate) mod task {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use anyrt_core::task::{Id, LocalSpawner, Spawner};
    use anyrt_core::{Blocking, JoinError};

    use super::{Handle, never};

    absent!(AbortHandle JoinHandle<T>);

    pub(crate) fn try_id() -> Option<Id> {
        None
    }

    pub(crate) fn spawn<F: Future>(_: F) -> JoinHandle<F::Output> {
        never()
    }

    pub(crate) fn spawn_local<F: Future>(_: F) -> JoinHandle<F::Output> {
        never()
    }

    impl<T> From<JoinHandle<T>> for anyrt_core::executor::TaskHandle<T> {
        fn from(_: JoinHandle<T>) -> Self {
            never()
        }
    }

    impl<T> Future for JoinHandle<T> {
        type Output = Result<T, JoinError>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            never()
        }
    }

    impl<T> anyrt_core::JoinHandle<T> for JoinHandle<T> {
        type AbortHandle = AbortHandle;

        fn abort(&self) {
            never()
        }

        fn is_finished(&self) -> bool {
            never()
        }

        fn id(&self) -> Id {
            never()
        }

        fn abort_handle(&self) -> AbortHandle {
            never()
        }
    }

    impl anyrt_core::AbortHandle for AbortHandle {
        fn abort(&self) {
            never()
        }

        fn is_finished(&self) -> bool {
            never()
        }

        fn id(&self) -> Id {
            never()
        }
    }

    impl Spawner for Handle {
        type JoinHandle<T: Send + 'static> = JoinHandle<T>;

        fn spawn<F>(&self, _: F) -> JoinHandle<F::Output>
        where
            F: Future + Send + 'static,
            F::Output: Send + 'static,
        {
            never()
        }
    }

    impl LocalSpawner for Handle {
        type LocalJoinHandle<T: 'static> = JoinHandle<T>;

        fn spawn_local<F>(&self, _: F) -> JoinHandle<F::Output>
        where
            F: Future + 'static,
            F::Output: 'static,
        {
            never()
        }
    }

    impl Blocking for Handle {
        fn spawn_blocking<F, T>(&self, _: F) -> JoinHandle<T>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            never()
        }
    }
}

pub(crate) mod blocking {
    use super::never;
    use super::task::JoinHandle;

    pub(crate) fn spawn_blocking<T>(_: impl FnOnce() -> T) -> JoinHandle<T> {
        never()
    }

    pub(crate) fn block_in_place<T>(_: impl FnOnce() -> T) -> T {
        never()
    }
}

pub(crate) mod time {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use anyrt_core::Timer;
    use anyrt_core::time::MissedTickBehavior;

    use super::{Handle, never};

    absent!(Sleep Interval);

    pub(crate) fn interval_at(_: Instant, _: Duration) -> Interval {
        never()
    }

    impl Interval {
        pub(crate) fn poll_tick(&mut self, _: &mut Context<'_>) -> Poll<Instant> {
            never()
        }

        pub(crate) fn reset(&mut self) {
            never()
        }

        pub(crate) fn reset_immediately(&mut self) {
            never()
        }

        pub(crate) fn reset_after(&mut self, _: Duration) {
            never()
        }

        pub(crate) fn reset_at(&mut self, _: Instant) {
            never()
        }

        pub(crate) fn missed_tick_behavior(&self) -> MissedTickBehavior {
            never()
        }

        pub(crate) fn set_missed_tick_behavior(&mut self, _: MissedTickBehavior) {
            never()
        }

        pub(crate) fn period(&self) -> Duration {
            never()
        }
    }

    pub(crate) fn pause() {
        never()
    }

    pub(crate) fn resume() {
        never()
    }

    pub(crate) async fn advance(_: Duration) {
        never()
    }

    /// Asked of Tokio, which is the one with a clock of its own.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    pub(crate) fn sleep(_: Duration) -> Sleep {
        never()
    }

    pub(crate) fn sleep_until(_: Instant) -> Sleep {
        never()
    }

    impl Timer for Handle {
        type Sleep = Sleep;

        fn now(&self) -> Instant {
            never()
        }

        fn sleep_until(&self, _: Instant) -> Sleep {
            never()
        }
    }

    impl Future for Sleep {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            never()
        }
    }

    impl anyrt_core::time::Sleep for Sleep {
        fn deadline(&self) -> Instant {
            never()
        }

        fn is_elapsed(&self) -> bool {
            never()
        }

        fn reset(self: Pin<&mut Self>, _: Instant) {
            never()
        }
    }
}

pub(crate) mod signal {
    use std::io;
    use std::os::raw::c_int;
    use std::task::{Context, Poll};

    use super::never;

    absent!(Signal SignalKind);

    pub(crate) fn signal(_: SignalKind) -> io::Result<Signal> {
        never()
    }

    impl SignalKind {
        pub(crate) fn from_raw(_: c_int) -> Self {
            never()
        }
    }

    impl Signal {
        pub(crate) fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Option<()>> {
            never()
        }
    }
}

pub(crate) mod channel {
    use std::task::{Context, Poll};

    use anyrt_core::Channel;
    use anyrt_core::channel;
    use anyrt_core::error::{SendError, TryRecvError, TrySendError};

    use super::{Handle, never};

    // Either end of either channel.
    absent!(End<T>);

    pub(crate) use End as Sender;
    pub(crate) use End as Receiver;
    pub(crate) use End as UnboundedSender;
    pub(crate) use End as UnboundedReceiver;

    impl Channel for Handle {
        type Sender<T: Send + 'static> = End<T>;
        type Receiver<T: Send + 'static> = End<T>;
        type UnboundedSender<T: Send + 'static> = End<T>;
        type UnboundedReceiver<T: Send + 'static> = End<T>;

        fn bounded<T: Send + 'static>(&self, _: usize) -> (End<T>, End<T>) {
            never()
        }

        fn unbounded<T: Send + 'static>(&self) -> (End<T>, End<T>) {
            never()
        }
    }

    impl<T: Send + 'static> channel::Sender<T> for End<T> {
        async fn send(&self, _: T) -> Result<(), SendError<T>> {
            never()
        }

        fn try_send(&self, _: T) -> Result<(), TrySendError<T>> {
            never()
        }

        fn is_closed(&self) -> bool {
            never()
        }
    }

    impl<T: Send + 'static> channel::UnboundedSender<T> for End<T> {
        fn send(&self, _: T) -> Result<(), SendError<T>> {
            never()
        }

        fn is_closed(&self) -> bool {
            never()
        }
    }

    impl<T: Send + 'static> channel::Receiver<T> for End<T> {
        fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Option<T>> {
            never()
        }

        fn try_recv(&mut self) -> Result<T, TryRecvError> {
            never()
        }

        fn close(&mut self) {
            never()
        }
    }
}

pub(crate) mod net {
    use std::io::{self, IoSlice};
    use std::net::{Shutdown, SocketAddr};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::tokio::io::{self as tokio_io, ReadBuf};
    use anyrt_core::Net;
    use anyrt_core::error::ReuniteError;
    use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
    use bytes::BufMut;
    use socket2::SockRef;

    use super::{Handle, never};

    absent!(TcpListener TcpStream OwnedReadHalf OwnedWriteHalf UdpSocket);

    impl Net for Handle {
        type TcpListener = TcpListener;
        type TcpStream = TcpStream;
        type UdpSocket = UdpSocket;

        fn tcp_listener_from_std(&self, _: std::net::TcpListener) -> io::Result<TcpListener> {
            never()
        }

        fn tcp_stream_from_std(&self, _: std::net::TcpStream) -> io::Result<TcpStream> {
            never()
        }

        fn udp_socket_from_std(&self, _: std::net::UdpSocket) -> io::Result<UdpSocket> {
            never()
        }

        async fn connect_tcp_addr(&self, _: SocketAddr) -> io::Result<TcpStream> {
            never()
        }
    }

    impl anyrt_core::TcpListener for TcpListener {
        type Stream = TcpStream;

        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            never()
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            never()
        }
    }

    impl anyrt_core::TcpStream for TcpStream {
        type OwnedReadHalf = OwnedReadHalf;
        type OwnedWriteHalf = OwnedWriteHalf;

        fn peer_addr(&self) -> io::Result<SocketAddr> {
            never()
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            never()
        }

        fn nodelay(&self) -> io::Result<bool> {
            never()
        }

        fn set_nodelay(&self, _: bool) -> io::Result<()> {
            never()
        }

        fn shutdown(&self, _: Shutdown) -> io::Result<()> {
            never()
        }

        async fn peek(&self, _: &mut [u8]) -> io::Result<usize> {
            never()
        }

        fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
            never()
        }

        fn reunite(
            _: OwnedReadHalf,
            _: OwnedWriteHalf,
        ) -> Result<Self, ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
            never()
        }
    }

    macro_rules! read {
        ($($reader:ident)*) => {$(
            impl futures_io::AsyncRead for $reader {
                fn poll_read(
                    self: Pin<&mut Self>,
                    _: &mut Context<'_>,
                    _: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    never()
                }
            }

            impl tokio_io::AsyncRead for $reader {
                fn poll_read(
                    self: Pin<&mut Self>,
                    _: &mut Context<'_>,
                    _: &mut ReadBuf<'_>,
                ) -> Poll<io::Result<()>> {
                    never()
                }
            }
        )*};
    }

    macro_rules! write {
        ($trait:path, $close:ident: $($writer:ident)*) => {$(
            impl $trait for $writer {
                fn poll_write(
                    self: Pin<&mut Self>,
                    _: &mut Context<'_>,
                    _: &[u8],
                ) -> Poll<io::Result<usize>> {
                    never()
                }

                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    _: &mut Context<'_>,
                    _: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    never()
                }

                fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                    never()
                }

                fn $close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                    never()
                }
            }
        )*};
    }

    read!(TcpStream OwnedReadHalf);
    write!(futures_io::AsyncWrite, poll_close: TcpStream OwnedWriteHalf);
    write!(tokio_io::AsyncWrite, poll_shutdown: TcpStream OwnedWriteHalf);

    impl futures_io::AsyncRead for &TcpStream {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            never()
        }
    }

    impl futures_io::AsyncWrite for &TcpStream {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            never()
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            never()
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            never()
        }
    }

    impl TcpListener {
        pub(crate) fn poll_accept(
            &self,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
            never()
        }
    }

    // What is Tokio's alone.
    pub(crate) async fn connect(_: SocketAddr) -> io::Result<TcpStream> {
        never()
    }

    impl TcpStream {
        pub(crate) fn poll_read_shared(
            &self,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            never()
        }

        pub(crate) fn poll_write_shared(
            &self,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            never()
        }

        pub(crate) fn poll_write_vectored_shared(
            &self,
            _: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            never()
        }

        pub(crate) fn try_read_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
            never()
        }
    }

    // What is Tokio's alone.
    impl UdpSocket {
        pub(crate) fn try_recv_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
            never()
        }

        pub(crate) fn try_recv_buf_from<B: BufMut>(
            &self,
            _: &mut B,
        ) -> io::Result<(usize, SocketAddr)> {
            never()
        }

        pub(crate) async fn recv_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
            never()
        }

        pub(crate) async fn recv_buf_from<B: BufMut>(
            &self,
            _: &mut B,
        ) -> io::Result<(usize, SocketAddr)> {
            never()
        }
    }

    macro_rules! socket {
        ($($socket:ident)*) => {$(
            impl $socket {
                pub(crate) fn into_std(self) -> io::Result<std::net::$socket> {
                    never()
                }

                pub(crate) fn socket(&self) -> SockRef<'_> {
                    never()
                }
            }

            #[cfg(unix)]
            impl std::os::fd::AsFd for $socket {
                fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                    never()
                }
            }

            #[cfg(windows)]
            impl std::os::windows::io::AsSocket for $socket {
                fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                    never()
                }
            }

            impl Readiness for $socket {
                async fn ready(&self, _: Interest) -> io::Result<Ready> {
                    never()
                }

                fn poll_ready(&self, _: &mut Context<'_>, _: Direction) -> Poll<io::Result<()>> {
                    never()
                }

                fn try_io<R>(
                    &self,
                    _: Interest,
                    _: impl FnOnce() -> io::Result<R>,
                ) -> io::Result<R> {
                    never()
                }

                async fn async_io<R>(
                    &self,
                    _: Interest,
                    _: impl FnMut() -> io::Result<R>,
                ) -> io::Result<R> {
                    never()
                }
            }
        )*};
    }
    socket!(TcpListener TcpStream UdpSocket);

    impl anyrt_core::UdpSocket for UdpSocket {
        async fn send_to(&self, _: &[u8], _: SocketAddr) -> io::Result<usize> {
            never()
        }

        async fn recv_from(&self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            never()
        }

        async fn connect(&self, _: SocketAddr) -> io::Result<()> {
            never()
        }

        async fn send(&self, _: &[u8]) -> io::Result<usize> {
            never()
        }

        async fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
            never()
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            never()
        }

        fn peer_addr(&self) -> io::Result<SocketAddr> {
            never()
        }
    }
}

#[cfg(unix)]
pub(crate) mod readiness {
    use std::io;
    use std::marker::PhantomData;
    use std::os::fd::AsFd;
    use std::task::{Context, Poll};

    use anyrt_core::readiness::{self, Direction, Interest, Reactor, Ready, ReadyEvent};

    use super::{Handle, Infallible, never};

    #[derive(Debug)]
    pub(crate) struct AsyncFd<T>(Infallible, PhantomData<T>);

    #[derive(Debug)]
    pub(crate) struct Event<'a>(Infallible, PhantomData<&'a ()>);

    impl Reactor for Handle {
        type AsyncFd<T: AsFd> = AsyncFd<T>;

        fn async_fd<T: AsFd>(&self, _: T, _: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
            never()
        }
    }

    impl<T> readiness::AsyncFd<T> for AsyncFd<T> {
        type Event<'a>
            = Event<'a>
        where
            T: 'a;

        fn get_ref(&self) -> &T {
            never()
        }

        fn get_mut(&mut self) -> &mut T {
            never()
        }

        fn into_inner(self) -> T {
            never()
        }

        fn assume(&self, _: Ready) {
            never()
        }

        fn poll_ready<'a>(
            &'a self,
            _: &mut Context<'_>,
            _: Direction,
        ) -> Poll<io::Result<Event<'a>>> {
            never()
        }

        async fn ready<'a>(&'a self, _: Interest) -> io::Result<Event<'a>> {
            never()
        }

        fn try_io<R>(&self, _: Interest, _: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
            never()
        }

        async fn run<R>(&self, _: Interest, _: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
            never()
        }
    }

    impl ReadyEvent for Event<'_> {
        fn ready(&self) -> Ready {
            never()
        }

        fn clear(&mut self, _: Ready) {
            never()
        }
    }
}

#[cfg(feature = "fs")]
pub(crate) mod fs;
pub(crate) mod join_set;
