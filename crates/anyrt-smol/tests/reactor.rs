//! async-io together with the runtime: the threads that drive it, and sockets and timers when no
//! thread of the runtime does, or after its end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::{Net, Spawner, TcpListener, Timer};
use anyrt_smol::SmolRuntime;
use anyrt_smol::net::TcpStream;
use anyrt_smol::runtime::{Builder, Runtime};
use futures_util::{AsyncReadExt, AsyncWriteExt};

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn workers(count: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).build().unwrap()
}

async fn connected(rt: &SmolRuntime) -> (TcpStream, TcpStream) {
    let listener = rt.bind_tcp((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = rt
        .connect_tcp(listener.local_addr().unwrap())
        .await
        .unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Reads before there is data, so that the reactor has to wake.
async fn late_hello(mut client: TcpStream, mut server: TcpStream) {
    let mut word = [0; 5];
    {
        let mut read = pin!(server.read_exact(&mut word));
        let first = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        client.write_all(b"hello").await.unwrap();
        read.await.unwrap();
    }
    assert_eq!(&word, b"hello");
}

#[test]
fn sockets_go_on_while_nobody_is_inside_block_on() {
    let runtime = one_thread();
    let rt = runtime.handle().clone();
    for _ in 0..3 {
        let (client, server) = runtime.block_on(connected(&rt));
        async_io::block_on(late_hello(client, server));
        let (client, server) = runtime.block_on(connected(&rt));
        runtime.block_on(late_hello(client, server));
    }
}

#[test]
fn what_is_async_ios_own_works_beside_it() {
    for runtime in [one_thread(), workers(1)] {
        runtime.block_on(async {
            async_io::Timer::after(Duration::from_millis(1)).await;
            let listener =
                async_io::Async::<std::net::TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.get_ref().local_addr().unwrap();
            let client = async_io::Async::<std::net::TcpStream>::connect(address);
            let (client, server) = futures_util::join!(client, listener.accept());
            drop((client.unwrap(), server.unwrap()));
        });
    }
}

#[test]
fn one_thread_goes_on_when_the_one_that_waited_in_the_reactor_has_left() {
    let runtime = one_thread();
    let rt = runtime.handle().clone();
    let (mut client, mut server) = runtime.block_on(connected(&rt));
    let (inside, is_inside) = mpsc::channel();
    thread::scope(|scope| {
        let (rt, other) = (rt.clone(), rt.clone());
        let other_thread = scope.spawn(move || {
            other.block_on(async {
                let mut word = [0; 5];
                let mut read = pin!(server.read_exact(&mut word));
                poll_fn(|cx| {
                    let pending = read.as_mut().poll(cx).is_pending();
                    let _ = inside.send(());
                    if pending {
                        Poll::Pending
                    } else {
                        Poll::Ready(())
                    }
                })
                .await;
            });
        });
        is_inside.recv().unwrap();
        // Whichever of the two waits in the reactor leaves it: this thread now, the other one after
        // it has read.
        rt.block_on(rt.sleep(Duration::from_millis(1)));
        rt.block_on(client.write_all(b"hello")).unwrap();
        other_thread.join().unwrap();
    });
}

#[test]
fn a_timer_of_another_thread_is_not_overslept() {
    let runtime = workers(2);
    let rt = runtime.handle().clone();
    // A worker waits for a distant deadline.
    let far = rt.clone();
    let _task = rt.spawn(async move { far.sleep(Duration::from_secs(3600)).await });
    for _ in 0..20 {
        async_io::block_on(rt.sleep(Duration::from_micros(300)));
    }
}

#[test]
fn sleeps_end_with_their_runtime() {
    let runtime = workers(1);
    let rt = runtime.handle().clone();
    let mut sleep = pin!(rt.sleep(Duration::from_secs(3600)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    drop(runtime);
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = sleep.as_mut().poll(&mut cx);
    }));
    assert!(polled.is_err(), "nobody is left to wake it");
}
