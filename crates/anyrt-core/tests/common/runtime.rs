//! A runtime made of the kit: one thread, a run queue, a blocking pool, a virtual clock, and
//! sockets that are polled without a reactor.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyrt_core::net::{FromStd, system};
use anyrt_core::runtime::{Config, Flavor};
use anyrt_core::{Blocking, Channel, LocalSpawner, Net, Spawner, Timer};
use anyrt_kit::executor::{BlockingPool, TaskHandle, local};
use anyrt_kit::time::pausable::Pausable;

use super::queue::Queue;
use super::{BusyListener, BusyStream, BusyUdp, Clock, VirtualSleep};

pub(crate) type Rt = RtOf<0>;

/// `N` distinguishes the types of the streams.
#[derive(Clone)]
pub(crate) struct RtOf<const N: u8> {
    pub(crate) queue: Arc<Queue>,
    pub(crate) pool: Arc<BlockingPool>,
    pub(crate) clock: Clock,
}

impl<const N: u8> RtOf<N> {
    pub(crate) fn new() -> Self {
        Self {
            queue: Queue::new(),
            pool: Arc::new(BlockingPool::new(
                &Config::default(),
                "test",
                Pausable::default(),
                |work| work(),
            )),
            clock: Clock::new(),
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let scope = local::LocalScope::open(Flavor::CurrentThread);
        super::block_on(self.queue.run_until(scope.run_until(future)))
    }
}

impl<const N: u8> fmt::Debug for RtOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rt")
    }
}

impl<const N: u8> Spawner for RtOf<N> {
    type JoinHandle<T: Send + 'static> = TaskHandle<T>;

    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.queue.spawn(future)
    }
}

impl<const N: u8> LocalSpawner for RtOf<N> {
    type LocalJoinHandle<T: 'static> = TaskHandle<T>;

    fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        local::spawn_local(future)
    }
}

impl<const N: u8> Blocking for RtOf<N> {
    fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool.spawn(job)
    }
}

impl<const N: u8> Timer for RtOf<N> {
    type Sleep = VirtualSleep;

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sleep_until(&self, deadline: Instant) -> VirtualSleep {
        self.clock.sleep_until(deadline)
    }
}

impl<const N: u8> Net for RtOf<N> {
    type TcpListener = BusyListener<N>;
    type TcpStream = BusyStream<N>;
    type UdpSocket = BusyUdp;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<BusyListener<N>> {
        self.tcp_listener_from_std(system::tcp_listener(address)?)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<BusyUdp> {
        self.udp_socket_from_std(system::udp_socket(address)?)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        system::resolve(self, host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<BusyStream<N>> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        Ok(BusyStream(stream))
    }
}

impl<const N: u8> FromStd for RtOf<N> {
    fn tcp_listener_from_std(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<BusyListener<N>> {
        Ok(BusyListener(listener))
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<BusyStream<N>> {
        Ok(BusyStream(stream))
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<BusyUdp> {
        Ok(BusyUdp(socket))
    }
}

impl<const N: u8> Channel for RtOf<N> {
    anyrt_kit::queue_channels!();
}
