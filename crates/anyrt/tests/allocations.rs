//! The allocation budget: an operation allocates no more through the facade than on the native
//! runtime.
//!
//! The slope between `N` and `3 N` operations on one thread is compared, which excludes start-up
//! and warm-up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "natively there is no other clock"
)]

use std::future::Future;
use std::time::{Duration, Instant};

use anyrt::runtime::{Backend, Builder};
use futures_util::future::join;

const N: usize = 200;
/// The tolerance for queues and trees that grow occasionally.
const GROWTH: f64 = 0.05;

/// Allocations per operation.
fn slope(run: impl Fn(usize)) -> f64 {
    // The minimum of several runs: a reactor on another thread may interfere and cause another
    // wait.
    let count = |operations| {
        let counts = (0..5).map(|_| allocation_counter::measure(|| run(operations)).count_total);
        counts.min().unwrap_or_default() as f64
    };
    run(N);
    let (once, thrice) = (count(N), count(3 * N));
    (thrice - once) / (2 * N) as f64
}

// One test, since some of the runtimes share a reactor.
#[test]
fn nothing_is_allocated_beyond_what_the_native_runtime_does() {
    spawn_and_join();
    block_on_a_ready_future();
    sleep_created_polled_and_dropped();
    sleep_until_the_past();
    tcp_round_trip_of_1_kb();
    udp_round_trip_of_1_kb();
}

fn on_anyrt<F: Future<Output = ()>>(backend: Backend, body: impl Fn(usize) -> F) -> f64 {
    let runtime = Builder::new_current_thread()
        .backend(backend)
        .build()
        .unwrap();
    slope(|operations| runtime.block_on(body(operations)))
}

fn on_tokio<F: Future<Output = ()>>(body: impl Fn(usize) -> F) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    slope(|operations| runtime.block_on(body(operations)))
}

fn on_smol<F: Future<Output = ()>>(body: impl Fn(usize) -> F) -> f64 {
    slope(|operations| smol::block_on(body(operations)))
}

fn on_async_std<F: Future<Output = ()>>(body: impl Fn(usize) -> F) -> f64 {
    slope(|operations| async_std::task::block_on(body(operations)))
}

/// Compares the facade with the runtime under it, if it is enabled.
fn check(what: &str, backend: Backend, ours: impl Fn(Backend) -> f64, native: impl Fn() -> f64) {
    if backend.is_enabled() {
        let (ours, native) = (ours(backend), native());
        println!("{what} on {backend}: {ours:.3} allocations, natively {native:.3}");
        assert!(
            ours <= native + GROWTH,
            "{what} on {backend}: {ours:.3} allocations, natively {native:.3}"
        );
    }
}

fn spawn_and_join() {
    let ours = |backend| {
        on_anyrt(backend, async |operations| {
            for n in 0..operations {
                assert_eq!(anyrt::spawn(async move { n }).await.unwrap(), n);
            }
        })
    };
    check("spawn + join", Backend::Tokio, ours, || {
        on_tokio(async |operations| {
            for n in 0..operations {
                assert_eq!(tokio::spawn(async move { n }).await.unwrap(), n);
            }
        })
    });
    check("spawn + join", Backend::Smol, ours, || {
        let executor = smol::Executor::new();
        let executor = &executor;
        on_smol(|operations| {
            executor.run(async move {
                for n in 0..operations {
                    assert_eq!(executor.spawn(async move { n }).await, n);
                }
            })
        })
    });
    check("spawn + join", Backend::AsyncStd, ours, || {
        on_async_std(async |operations| {
            for n in 0..operations {
                assert_eq!(async_std::task::spawn(async move { n }).await, n);
            }
        })
    });
}

fn block_on_a_ready_future() {
    let ours = |backend| {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.backend(backend).build().unwrap();
        slope(|operations| {
            for _ in 0..operations {
                runtime.block_on(std::future::ready(()));
            }
        })
    };
    // Natively a queue for each call; here, if the clock can be paused, what drives it.
    check("block_on", Backend::Smol, ours, || {
        let executor = smol::Executor::new();
        slope(|operations| {
            for _ in 0..operations {
                smol::block_on(executor.run(std::future::ready(())));
            }
        })
    });
}

fn sleep_created_polled_and_dropped() {
    const HOUR: Duration = Duration::from_secs(3600);

    async fn poll_once(future: impl Future) {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }

    let ours = |backend| {
        on_anyrt(backend, async |operations| {
            for _ in 0..operations {
                poll_once(anyrt::time::sleep(HOUR)).await;
            }
        })
    };
    check("sleep", Backend::Tokio, ours, || {
        on_tokio(async |operations| {
            for _ in 0..operations {
                poll_once(tokio::time::sleep(HOUR)).await;
            }
        })
    });
    let native_smol = || {
        on_smol(async |operations| {
            for _ in 0..operations {
                poll_once(smol::Timer::after(HOUR)).await;
            }
        })
    };
    check("sleep", Backend::Smol, ours, native_smol);
    check("sleep", Backend::AsyncStd, ours, || {
        on_async_std(async |operations| {
            for _ in 0..operations {
                poll_once(async_std::task::sleep(HOUR)).await;
            }
        })
    });
}

fn sleep_until_the_past() {
    let ours = |backend| {
        on_anyrt(backend, async |operations| {
            // Past the full millisecond to which it is rounded up.
            let past = Instant::now() - Duration::from_millis(2);
            for _ in 0..operations {
                anyrt::time::sleep_until(past.into()).await;
            }
        })
    };
    check("elapsed sleep", Backend::Smol, ours, || {
        on_smol(async |operations| {
            for _ in 0..operations {
                smol::Timer::at(Instant::now()).await;
            }
        })
    });
}

/// A request and an answer of 1 KB each, with both sides in one task so that the order of waits is
/// fixed.
macro_rules! echo {
    ($net:path, $read:path, $write:path) => {
        async |operations: usize| {
            use $net::{TcpListener, TcpStream};
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let connecting = TcpStream::connect(listener.local_addr().unwrap());
            let (client, accepted) = join(connecting, listener.accept()).await;
            let (mut client, (mut server, _)) = (client.unwrap(), accepted.unwrap());
            let answer = async {
                let mut buf = [0; 1024];
                for _ in 0..operations {
                    $read(&mut server, &mut buf).await.unwrap();
                    $write(&mut server, &buf).await.unwrap();
                }
            };
            let ask = async {
                let mut buf = [7; 1024];
                for _ in 0..operations {
                    $write(&mut client, &buf).await.unwrap();
                    $read(&mut client, &mut buf).await.unwrap();
                }
            };
            join(ask, answer).await;
        }
    };
}

fn tcp_round_trip_of_1_kb() {
    use anyrt::io::{AsyncReadExt as Read, AsyncWriteExt as Write};
    use futures_util::io as futures;

    let ours = |backend| {
        on_anyrt(
            backend,
            echo!(anyrt::net, Read::read_exact, Write::write_all),
        )
    };
    check("TCP round trip", Backend::Tokio, ours, || {
        on_tokio(echo!(tokio::net, Read::read_exact, Write::write_all))
    });
    check("TCP round trip", Backend::Smol, ours, || {
        on_smol(echo!(
            smol::net,
            futures::AsyncReadExt::read_exact,
            futures::AsyncWriteExt::write_all
        ))
    });
    check("TCP round trip", Backend::AsyncStd, ours, || {
        on_async_std(echo!(
            async_std::net,
            futures::AsyncReadExt::read_exact,
            futures::AsyncWriteExt::write_all
        ))
    });
}

fn udp_round_trip_of_1_kb() {
    let ours = |backend| {
        on_anyrt(backend, async |operations| {
            let one = anyrt::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let two = anyrt::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (to_one, to_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
            let mut buf = [0; 1024];
            for _ in 0..operations {
                one.send_to(&buf, to_two).await.unwrap();
                two.recv_from(&mut buf).await.unwrap();
                two.send_to(&buf, to_one).await.unwrap();
                one.recv_from(&mut buf).await.unwrap();
            }
        })
    };
    check("UDP round trip", Backend::Tokio, ours, || {
        on_tokio(async |operations| {
            let one = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let two = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (to_one, to_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
            let mut buf = [0; 1024];
            for _ in 0..operations {
                one.send_to(&buf, to_two).await.unwrap();
                two.recv_from(&mut buf).await.unwrap();
                two.send_to(&buf, to_one).await.unwrap();
                one.recv_from(&mut buf).await.unwrap();
            }
        })
    });
    check("UDP round trip", Backend::Smol, ours, || {
        on_smol(async |operations| {
            let one = smol::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let two = smol::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (to_one, to_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
            let mut buf = [0; 1024];
            for _ in 0..operations {
                one.send_to(&buf, to_two).await.unwrap();
                two.recv_from(&mut buf).await.unwrap();
                two.send_to(&buf, to_one).await.unwrap();
                one.recv_from(&mut buf).await.unwrap();
            }
        })
    });
}
