//! tower: services over anyrt's streams, and those of its layers that need no timer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};
use tower::buffer::Buffer;
use tower::load_shed::error::Overloaded;
use tower::retry::Policy;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::Result;

/// Sends a byte to a server that answers with the byte plus one.
async fn ask(address: std::net::SocketAddr, byte: u8) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u8(byte).await?;
    stream.read_u8().await
}

async fn server() -> std::io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let byte = stream.read_u8().await?;
                stream.write_u8(byte + 1).await
            });
        }
    });
    Ok(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_over_sockets_is_limited_and_called_from_many_tasks() -> Result {
    let address = server().await?;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = ServiceBuilder::new()
        .concurrency_limit(3)
        .map_response(u32::from)
        .service_fn({
            let most = Arc::clone(&most);
            move |byte: u8| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let answer = ask(address, byte).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    answer
                }
            }
        });
    let service = BoxCloneService::new(service);
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let service = service.clone();
            tokio::spawn(async move { service.oneshot(n).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await??, n as u32 + 1);
    }
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    Ok(())
}

/// `Buffer::new` would spawn its worker on a Tokio runtime; `pair` leaves that to the caller.
#[tokio::test]
async fn a_buffer_works_with_a_worker_that_we_spawn() -> Result {
    let address = server().await?;
    // The service cannot be cloned, so tasks share it through the buffer.
    let mut calls = 0;
    let counted = service_fn(move |byte: u8| {
        calls += 1;
        let number = calls;
        async move { ask(address, byte).await.map(|answer| (number, answer)) }
    });
    let (buffer, worker) = Buffer::pair(counted, 2);
    let worker = tokio::spawn(worker);
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let buffer = buffer.clone();
            tokio::spawn(async move { buffer.oneshot(n).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for (n, task) in tasks.into_iter().enumerate() {
        let (number, answer) = task.await??;
        assert_eq!(usize::from(answer), n + 1);
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    drop(buffer);
    worker.await?;
    Ok(())
}

#[tokio::test]
async fn load_is_shed_while_a_call_is_running() -> Result {
    let finish = Arc::new(Notify::new());
    let mut service = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service_fn({
            let finish = Arc::clone(&finish);
            move |()| {
                let finish = Arc::clone(&finish);
                async move {
                    finish.notified().await;
                    Ok::<_, Infallible>(())
                }
            }
        });
    let first = service.ready().await?.call(());
    let error = service.ready().await?.call(()).await.unwrap_err();
    assert!(error.is::<Overloaded>());
    finish.notify_one();
    first.await?;
    Ok(())
}

/// Retries twice.
#[derive(Clone)]
struct Again(u8);

impl<E> Policy<u8, u8, E> for Again {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut u8, result: &mut Result<u8, E>) -> Option<Self::Future> {
        let retry = result.is_err() && self.0 > 0;
        self.0 -= u8::from(retry);
        retry.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &u8) -> Option<u8> {
        Some(*request)
    }
}

#[tokio::test]
async fn a_call_is_tried_again() -> Result {
    let address = server().await?;
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&tries);
    let service = ServiceBuilder::new()
        .retry(Again(2))
        .service_fn(move |byte| {
            let number = tries.fetch_add(1, Ordering::SeqCst);
            async move {
                if number < 2 {
                    return Err("not yet".into());
                }
                Ok::<_, BoxError>(ask(address, byte).await?)
            }
        });
    assert_eq!(service.oneshot(1).await?, 2);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
    Ok(())
}

/// Replaces tower's `Timeout`, which uses a timer of a Tokio runtime.
#[tokio::test]
async fn a_call_is_limited_by_our_own_timeout() {
    let stuck = service_fn(|()| std::future::pending::<Result<(), Infallible>>());
    let limited = service_fn(move |()| timeout(Duration::from_millis(1), stuck.oneshot(())));
    assert!(limited.oneshot(()).await.is_err());
}
