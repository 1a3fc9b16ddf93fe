//! Auto traits of the public types.

use std::fmt::Debug;
use std::hash::Hash;

use anyrt::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use anyrt::net::{TcpListener, TcpStream, UdpSocket};
use anyrt::runtime::{Backend, Builder, Handle, Runtime};
use anyrt::task::{AbortHandle, JoinError, JoinHandle, JoinSet, TaskTracker};
use anyrt::time::{Interval, Sleep, Timeout};

/// Checks whether the type is `Send`, `Sync` and `Unpin`.
macro_rules! auto_traits {
    ($($type:ty: $($trait:ident)*;)*) => {$({
        fn has<T: ?Sized $(+ $trait)*>() {}
        has::<$type>();
    })*};
}

/// Fails to compile if the type implements the trait.
macro_rules! not {
    ($($type:ty: $trait:ident;)*) => {$({
        trait Ambiguous<A> {
            fn some_item() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Implements;
        impl<T: ?Sized + $trait> Ambiguous<Implements> for T {}
        <$type as Ambiguous<_>>::some_item();
    })*};
}

#[cfg(unix)]
#[test]
fn unix_types_are_as_tokios() {
    use std::panic::{RefUnwindSafe, UnwindSafe};

    use anyrt::net::unix::{self, pipe};
    use anyrt::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

    auto_traits! {
        UnixListener: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        UnixStream: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        UnixDatagram: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        UnixSocket: Send Sync Unpin Debug;
        unix::SocketAddr: Send Sync Unpin Clone Debug;
        unix::UCred: Send Sync Unpin Copy Eq Hash Debug;
        unix::ReadHalf<'static>: Send Sync Unpin Debug;
        unix::WriteHalf<'static>: Send Sync Unpin Debug;
        unix::OwnedReadHalf: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        unix::OwnedWriteHalf: Send Sync Unpin Debug;
        unix::ReuniteError: Send Sync Unpin Debug;
        pipe::OpenOptions: Send Sync Unpin Clone Debug;
        pipe::Sender: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        pipe::Receiver: Send Sync Unpin UnwindSafe RefUnwindSafe Debug;
        anyrt::io::Stdin: Send Sync Unpin Debug;
        anyrt::io::Stdout: Send Sync Unpin Debug;
        anyrt::io::Stderr: Send Sync Unpin Debug;
    }
}

type Local = std::rc::Rc<()>;

#[test]
fn auto_traits_are_as_promised() {
    auto_traits! {
        Backend: Send Sync Unpin Copy Debug;
        Builder: Send Sync Unpin Debug;
        Runtime: Send Sync Unpin Debug;
        Handle: Send Sync Unpin Clone Debug;
        JoinHandle<()>: Send Sync Unpin Debug;
        JoinHandle<std::cell::Cell<u8>>: Send Sync Unpin;
        JoinHandle<Local>: Unpin Debug;
        AbortHandle: Send Sync Unpin Clone Debug;
        JoinError: Send Sync Unpin Debug;
        JoinSet<()>: Send Sync Unpin Debug;
        TaskTracker: Send Sync Unpin Clone Debug;
        TcpListener: Send Sync Unpin Debug;
        TcpStream: Send Sync Unpin Debug;
        OwnedReadHalf: Send Sync Unpin Debug;
        OwnedWriteHalf: Send Sync Unpin Debug;
        UdpSocket: Send Sync Unpin Debug;
        Sleep: Send Sync Debug;
        Timeout<std::future::Ready<()>>: Send Sync Debug;
        Interval: Send Sync Unpin Debug;
        anyrt::shutdown::GracefulShutdown: Send Sync Unpin Clone Debug;
        anyrt::sync::CancellationToken: Send Sync Unpin Clone Debug;
    }
    not! {
        JoinHandle<Local>: Send;
        JoinHandle<Local>: Sync;
        Sleep: Unpin;
        anyrt::runtime::EnterGuard<'static>: Send;
    }
}

fn is_send<T: Send>(_: T) {}

/// Never called; compiling it is the test.
#[expect(dead_code, reason = "it is checked by compiling it")]
fn futures_are_send(listener: &TcpListener, stream: &TcpStream, socket: &UdpSocket) {
    is_send(anyrt::time::sleep(std::time::Duration::ZERO));
    is_send(anyrt::task::yield_now());
    is_send(TcpListener::bind("127.0.0.1:0"));
    is_send(TcpStream::connect(("localhost", 1)));
    is_send(UdpSocket::bind("127.0.0.1:0"));
    is_send(anyrt::net::lookup_host("localhost:1"));
    is_send(listener.accept());
    is_send(stream.peek(&mut []));
    is_send(socket.send_to(&[], "127.0.0.1:1"));
    is_send(socket.recv_from(&mut []));
    is_send(socket.connect("127.0.0.1:1"));
    is_send(JoinSet::<()>::new().join_next());
}

#[test]
fn a_handle_is_a_runtime_for_generic_code() {
    fn is_runtime<R: anyrt_core::Runtime>() {}
    fn is_owner<O: anyrt_core::runtime::Owner>() {}
    is_runtime::<Handle>();
    is_owner::<Runtime>();
}
