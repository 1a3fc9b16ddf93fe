//! Items that need a runtime of Tokio itself, and the ways to provide one. These tests check the
//! list in the port guide.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::FutureExt as _;
use real_tokio::runtime::Runtime as Tokio;
use tokio::runtime::{Backend, Handle};
use tokio_stream::StreamExt;
use tokio_util::context::RuntimeExt;
use tokio_util::future::FutureExt as _;
use tokio_util::io::SyncIoBridge;
use tokio_util::task::{JoinMap, TaskTracker};
use tokio_util::time::DelayQueue;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::{Result, pair};

const MOMENT: Duration = Duration::from_millis(1);

type Use = (
    &'static str,
    fn() -> Pin<Box<dyn Future<Output = ()> + Send>>,
);

/// Each item, used once to its end.
const NEED_TOKIO: &[Use] = &[
    ("tokio_util::time::DelayQueue", || {
        Box::pin(async {
            let mut queue = DelayQueue::new();
            queue.insert(7, MOMENT);
            assert_eq!(queue.next().await.unwrap().into_inner(), 7);
        })
    }),
    ("tokio_util::future::FutureExt::timeout", || {
        Box::pin(async {
            let forever = std::future::pending::<()>();
            assert!(forever.timeout(MOMENT).await.is_err());
        })
    }),
    ("tokio_util::task::TaskTracker::spawn", || {
        Box::pin(async {
            assert_eq!(TaskTracker::new().spawn(async { 7 }).await.unwrap(), 7);
        })
    }),
    ("tokio_util::task::JoinMap::spawn", || {
        Box::pin(async {
            let mut map = JoinMap::new();
            map.spawn("key", async { 7 });
            assert_eq!(map.join_next().await.unwrap().1.unwrap(), 7);
        })
    }),
    ("tokio_util::io::SyncIoBridge::new", || {
        Box::pin(async {
            drop(SyncIoBridge::new(tokio::io::empty()));
        })
    }),
    ("tokio_stream::StreamExt::timeout", || {
        Box::pin(async {
            let silent = tokio_stream::pending::<()>().timeout(MOMENT);
            assert!(std::pin::pin!(silent).next().await.unwrap().is_err());
        })
    }),
    ("tokio_stream::StreamExt::throttle", || {
        Box::pin(async {
            let slow = tokio_stream::iter(0..3).throttle(MOMENT);
            assert_eq!(slow.collect::<Vec<_>>().await, [0, 1, 2]);
        })
    }),
    ("tokio_stream::StreamExt::chunks_timeout", || {
        Box::pin(async {
            let silent = tokio_stream::once(7).chain(tokio_stream::pending());
            let mut chunks = std::pin::pin!(silent.chunks_timeout(2, MOMENT));
            assert_eq!(chunks.next().await, Some(vec![7]));
        })
    }),
    ("tower::timeout", || {
        Box::pin(async {
            let stuck = service_fn(|()| std::future::pending::<Result<(), Infallible>>());
            let service = ServiceBuilder::new().timeout(MOMENT).service(stuck);
            assert!(service.oneshot(()).await.is_err());
        })
    }),
    ("tower::limit::RateLimit", || {
        Box::pin(async {
            let ready = service_fn(|n| async move { Ok::<_, Infallible>(n) });
            let mut service = ServiceBuilder::new().rate_limit(1, MOMENT).service(ready);
            for n in 0..3 {
                let ready = service.ready().await.unwrap();
                assert_eq!(tower::Service::call(ready, n).await, Ok(n));
            }
        })
    }),
    ("tower::buffer::Buffer::new", || {
        Box::pin(async {
            let ready = service_fn(|n| async move { Ok::<u8, Infallible>(n) });
            let buffer = tower::buffer::Buffer::new(ready, 1);
            assert_eq!(buffer.oneshot(7).await.unwrap(), 7);
        })
    }),
    ("tower::spawn_ready", || {
        Box::pin(async {
            // A service that is not ready at once is spawned.
            let service = tower::spawn_ready::SpawnReady::new(NotAtOnce { asked: false });
            assert_eq!(service.oneshot(7).await.unwrap(), 7);
        })
    }),
];

#[tokio::test]
async fn what_needs_tokio_panics_on_the_others_and_works_on_tokio() {
    let on_tokio = Handle::current().backend() == Backend::Tokio;
    for (name, make) in NEED_TOKIO {
        let ended = match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
            Err(panic) => Err(panic),
        };
        assert_eq!(ended.is_ok(), on_tokio, "{name}");
    }
}

/// One runtime for the program, as in an application.
static TOKIO: LazyLock<Tokio> = LazyLock::new(|| {
    let mut builder = real_tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a Tokio runtime")
});

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_works_in_the_context_of_a_tokio_runtime_beside() {
    for (_, make) in NEED_TOKIO {
        TOKIO.wrap(async { make().await }).await;
    }
    // The current runtime is still anyrt's.
    let backend = Handle::current().backend();
    let inside = TOKIO.wrap(async { tokio::spawn(async { Handle::current().backend() }).await });
    assert_eq!(inside.await.unwrap(), backend);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_bridge_over_our_stream_takes_a_tokio_handle() -> Result {
    let (mut client, server) = pair().await?;
    let job = tokio::task::spawn_blocking(move || {
        let mut bridge = SyncIoBridge::new_with_handle(server, TOKIO.handle().clone());
        let mut all = String::new();
        std::io::Read::read_to_string(&mut bridge, &mut all).map(|_| all)
    });
    tokio::io::AsyncWriteExt::write_all(&mut client, b"bridged").await?;
    drop(client);
    assert_eq!(job.await??, "bridged");
    Ok(())
}

/// A service that is not ready at the first poll.
struct NotAtOnce {
    asked: bool,
}

impl tower::Service<u8> for NotAtOnce {
    type Response = u8;
    type Error = Infallible;
    type Future = std::future::Ready<Result<u8, Infallible>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        if std::mem::replace(&mut self.asked, true) {
            return std::task::Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }

    fn call(&mut self, request: u8) -> Self::Future {
        std::future::ready(Ok(request))
    }
}
