//! The sizes of the public handles and futures.
//!
//! With one backend they have the size of the backend's type; with several, that of the largest one
//! and a tag. They are copied at every call and held in every task, so they grow only on purpose.

use std::net::SocketAddr;
use std::time::Duration;

use anyrt::net::tcp::OwnedReadHalf;
use anyrt::net::{TcpListener, TcpStream, UdpSocket};
use anyrt::runtime::{Backend, Handle, Runtime};
use anyrt::task::{AbortHandle, Id, JoinHandle, JoinSet};
use anyrt::time::{Interval, Sleep, Timeout};

const WORD: usize = size_of::<usize>();

fn only(backend: Backend) -> bool {
    Backend::enabled() == [backend]
}

/// The maximum number of words, however many backends are enabled.
macro_rules! words {
    ($($type:ty: $words:expr;)*) => {$(
        println!("{}: {} words of {}", stringify!($type), size_of::<$type>() / WORD, $words);
    )*$(
        assert!(
            size_of::<$type>() <= $words * WORD,
            "{} has grown",
            stringify!($type)
        );
    )*};
}

#[test]
fn handles_have_few_words() {
    words! {
        // A task of Smol or async-std is in their executor, so the handle also holds its entry in
        // the kit's table.
        JoinHandle<[u64; 64]>: 6;
        AbortHandle: 4;
        Id: 1;
        JoinSet<[u64; 64]>: 8;
        Handle: 2;
        Runtime: 14;
        TcpListener: 7;
        // On async-io a socket keeps the waker that it gives to the reactor, made once.
        TcpStream: 7;
        UdpSocket: 7;
        Sleep: 14;
        Timeout<std::future::Ready<()>>: 15;
        Interval: 6;
    }
}

#[test]
fn on_tokio_alone_handles_are_as_large_as_tokios() {
    if only(Backend::Tokio) {
        assert_eq!(
            size_of::<JoinHandle<()>>(),
            size_of::<tokio::task::JoinHandle<()>>()
        );
        assert_eq!(size_of::<Option<JoinHandle<()>>>(), WORD, "it has no tag");
        assert_eq!(
            size_of::<AbortHandle>(),
            size_of::<tokio::task::AbortHandle>()
        );
        assert_eq!(size_of::<TcpStream>(), size_of::<tokio::net::TcpStream>());
        // Includes the handle of the runtime, so that it works on any thread.
        assert!(size_of::<TcpListener>() <= size_of::<tokio::net::TcpListener>() + 2 * WORD);
        assert_eq!(size_of::<UdpSocket>(), size_of::<tokio::net::UdpSocket>());
        assert_eq!(
            size_of::<OwnedReadHalf>(),
            size_of::<tokio::net::tcp::OwnedReadHalf>()
        );
        assert_eq!(size_of::<Sleep>(), size_of::<tokio::time::Sleep>());
        assert_eq!(size_of::<Handle>(), size_of::<tokio::runtime::Handle>());
    }
}

/// The backend's type without a tag or any other addition.
#[test]
fn with_one_backend_handles_and_sockets_are_as_large_as_its_own() {
    #[allow(dead_code, reason = "called for the backends that are enabled")]
    fn check<R: anyrt_core::Runtime>(backend: Backend) {
        if only(backend) {
            assert_eq!(size_of::<Handle>(), size_of::<R>());
            assert_eq!(size_of::<JoinHandle<()>>(), size_of::<R::JoinHandle<()>>());
            assert_eq!(size_of::<TcpListener>(), size_of::<R::TcpListener>());
            assert_eq!(size_of::<TcpStream>(), size_of::<R::TcpStream>());
            assert_eq!(size_of::<UdpSocket>(), size_of::<R::UdpSocket>());
        }
    }
    #[cfg(feature = "tokio")]
    check::<anyrt_tokio::TokioRuntime>(Backend::Tokio);
    #[cfg(feature = "smol")]
    check::<anyrt_smol::SmolRuntime>(Backend::Smol);
    #[cfg(feature = "async-std")]
    check::<anyrt_async_std::AsyncStdRuntime>(Backend::AsyncStd);
    #[cfg(feature = "glommio")]
    check::<anyrt_glommio::GlommioRuntime>(Backend::Glommio);
}

#[test]
fn without_a_backend_there_are_no_values() {
    if Backend::enabled().is_empty() {
        assert_eq!(size_of::<Option<Handle>>(), 0);
        assert_eq!(size_of::<Option<TcpStream>>(), 0);
        assert_eq!(size_of::<Option<JoinHandle<[u64; 64]>>>(), 0);
    }
}

/// The futures that a task which serves connections holds for its whole life.
#[test]
fn futures_are_no_larger_than_what_they_wait_for() {
    fn accept(listener: &TcpListener) -> usize {
        size_of_val(&listener.accept())
    }
    fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> usize {
        size_of_val(&socket.recv_from(buffer))
    }
    let runtime = anyrt::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else {
        // Empty without a backend.
        assert!(Backend::enabled().is_empty());
        return;
    };
    runtime.block_on(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.expect("loopback");
        let socket = UdpSocket::bind(any).await.expect("loopback");
        let figures = [
            ("accept", accept(&listener), 40),
            ("recv_from", receive(&socket, &mut [0; 16]), 40),
            ("connect", size_of_val(&TcpStream::connect(any)), 100),
            (
                "timeout",
                size_of_val(&anyrt::time::timeout(Duration::ZERO, async {})),
                19,
            ),
            ("yield_now", size_of_val(&anyrt::task::yield_now()), 2),
        ];
        for (name, size, words) in figures {
            println!("{name}: {size} bytes");
            assert!(size <= words * WORD, "{name} has {size} bytes");
        }
    });
}
