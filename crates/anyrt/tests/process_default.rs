//! The default runtime of the process. A separate program with one test, because it is set once.
#![cfg(feature = "smol")]

use std::sync::Arc;

use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::{Backend, Handle};
use anyrt::time::{Duration, sleep};
use anyrt_smol::SmolRuntime;

fn current() -> Option<Backend> {
    Handle::try_current().ok().map(|handle| handle.backend())
}

/// The code of a library.
async fn library() -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let client = anyrt::spawn(async move { TcpStream::connect(address).await });
    listener.accept().await.expect("a client");
    client.await.expect("no panic").expect("a connection");
    sleep(Duration::from_millis(1)).await;
    anyrt::task::spawn_blocking(|| 7).await.expect("no panic")
}

#[test]
fn the_default_is_current_where_nothing_else_is() {
    assert_eq!(current(), None);
    let error = Handle::try_current()
        .expect_err("there is none")
        .to_string();
    assert!(error.contains("make_default"), "{error}");

    let executor = Arc::new(smol::Executor::new());
    let rt = SmolRuntime::on(Arc::clone(&executor));
    // Before it is the default, for one future.
    let wrapped = Handle::from(rt.clone()).wrap(library());
    assert_eq!(smol::block_on(executor.run(wrapped)), 7);
    assert_eq!(current(), None);

    Handle::from(rt.clone())
        .make_default()
        .expect("the first one");
    assert_eq!(smol::block_on(executor.run(library())), 7);
    assert_eq!(current(), Some(Backend::Smol));
    let task = executor.spawn(async {
        let inner = anyrt::spawn(async { current() }).await.expect("no panic");
        (current(), inner)
    });
    let smol = Some(Backend::Smol);
    assert_eq!(smol::block_on(executor.run(task)), (smol, smol));

    let error = Handle::from(rt).make_default().expect_err("it is set");
    assert_eq!(error.backend(), Backend::Smol);
    assert!(error.to_string().contains("smol"), "{error}");

    // A runtime that is entered on this thread takes precedence.
    for &backend in Backend::enabled() {
        let runtime = anyrt::runtime::Builder::new_current_thread()
            .backend(backend)
            .build();
        let runtime = runtime.expect("a runtime");
        assert_eq!(runtime.block_on(async { current() }), Some(backend));
    }
    #[cfg(feature = "tokio")]
    {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let tokio = tokio.expect("a runtime");
        assert_eq!(tokio.block_on(async { current() }), Some(Backend::Tokio));
        assert_eq!(tokio.block_on(library()), 7);
    }
    #[cfg(feature = "async-std")]
    {
        let task = async_std::task::spawn(async { (current(), library().await) });
        assert_eq!(
            async_std::task::block_on(task),
            (Some(Backend::AsyncStd), 7)
        );
    }
    assert_eq!(current(), Some(Backend::Smol));

    // The application ends its executor.
    let waiting = anyrt::spawn(std::future::pending::<()>());
    drop(executor);
    assert!(
        smol::block_on(waiting)
            .expect_err("it is gone")
            .is_cancelled()
    );
    let late = anyrt::spawn(async {});
    assert!(smol::block_on(late).expect_err("it is gone").is_cancelled());
}
