//! The allocations of operations. The counter is the allocator of the whole binary, so this is a
//! separate one.

mod common;

use std::future::pending;
use std::hint::black_box;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use anyrt_core::channel::{Receiver, Sender, UnboundedSender};
use anyrt_core::runtime::Builder;
use anyrt_core::time::Sleep;
use anyrt_core::{
    Blocking, CancellationToken, Channel, ErasedRuntime, FromStd, JoinHandle, JoinSet,
    LocalSpawner, Net, Spawner, TaskTracker, TcpListener, TcpStream, Timer, UdpSocket,
};
use anyrt_kit::executor::BlockingPool;
use anyrt_kit::time::pausable::Pausable;
use common::Rt;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::FutureExt;

/// Returns the number of allocations of `operation`, without the occasional growth of a queue or
/// list.
fn allocations<T>(mut operation: impl FnMut() -> T) -> u64 {
    (0..8)
        .map(|_| {
            measure(|| {
                black_box(operation());
            })
            .count_total
        })
        .min()
        .unwrap_or(0)
}

/// Polls `rt` until nothing is ready.
fn run(rt: &Rt) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut run = Box::pin(rt.queue.run_until(pending::<()>()));
    assert!(run.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn a_task_is_one_allocation() {
    let rt = Rt::new();
    let mut spawned = Vec::with_capacity(8);
    assert_eq!(
        allocations(|| spawned.push(rt.spawn(async { [7_u8; 64] }))),
        1
    );
    run(&rt);
    // Passing the result on adds none.
    let mut cx = Context::from_waker(Waker::noop());
    let joined = measure(|| {
        for handle in &mut spawned {
            assert!(Pin::new(handle).poll(&mut cx).is_ready());
        }
    });
    assert_eq!(joined.count_total, 0);
}

#[test]
fn waking_and_polling_a_task_allocates_nothing() {
    let rt = Rt::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut worker = Box::pin(rt.queue.run_until(pending::<()>()));
    rt.spawn(async {
        loop {
            anyrt_core::task::yield_now().await;
        }
    });
    for _ in 0..4 {
        let _ = worker.as_mut().poll(&mut cx);
    }
    let polled = measure(|| {
        let _ = worker.as_mut().poll(&mut cx);
    });
    assert_eq!(polled.count_total, 0);
    drop(worker);
    rt.queue.drain();
}

#[test]
fn a_member_of_a_join_set_is_one_allocation_beside_its_task() {
    let rt = Rt::new();
    let mut set = JoinSet::new();
    assert_eq!(allocations(|| set.spawn_on(&rt, async {})), 2);
    run(&rt);
    let mut cx = Context::from_waker(Waker::noop());
    let _ = set.poll_join_next(&mut cx);
    let joined = measure(|| while set.try_join_next().is_some() {});
    assert_eq!(joined.count_total, 0);
}

#[test]
fn a_child_token_is_one_allocation_and_a_tracked_task_none() {
    let token = CancellationToken::new();
    assert_eq!(allocations(|| token.child_token()), 1);
    assert_eq!(allocations(|| token.clone()), 0);
    let tracker = TaskTracker::new();
    assert_eq!(allocations(|| tracker.track_future(async {})), 0);
}

/// Checks the table in the documentation of `anyrt_core::erased`.
#[test]
fn an_erased_runtime_allocates_what_its_documentation_says() {
    // The only blocking thread is busy, so jobs are queued and none starts a thread.
    let mut builder = Builder::<()>::new_current_thread();
    builder.max_blocking_threads(1);
    let pool = BlockingPool::new(builder.config(), "test", Pausable::default(), |work| work());
    let (finish, busy) = mpsc::channel::<()>();
    pool.spawn(move || busy.recv());
    let rt = Rt {
        pool: Arc::new(pool),
        ..Rt::new()
    };
    let erased = ErasedRuntime::new(rt.clone());
    let second = Duration::from_secs(1);

    assert_eq!(allocations(|| erased.clone()), 0);
    assert_eq!(allocations(|| ErasedRuntime::new(erased.clone())), 0);
    assert_eq!(allocations(|| erased.now()), 0);

    let native = allocations(|| rt.spawn(async {}));
    assert_eq!(allocations(|| erased.spawn(async {})), native + 2);
    run(&rt);
    // A zero-sized job would not be boxed.
    let size = [7_u8; 64];
    let job = move || black_box(size).len();
    let native = allocations(|| rt.spawn_blocking(job));
    assert_eq!(allocations(|| erased.spawn_blocking(job)), native + 2);
    drop(finish);
    rt.block_on(async {
        let native = allocations(|| rt.spawn_local(async {}));
        assert_eq!(allocations(|| erased.spawn_local(async {})), native + 2);
    });

    let handle = erased.spawn(async {});
    assert_eq!(allocations(|| handle.abort_handle()), 1);
    let abort = handle.abort_handle();
    assert_eq!(allocations(|| abort.clone()), 0);
    run(&rt);

    assert_eq!(allocations(|| erased.sleep(second)), 1);
    assert_eq!(allocations(|| erased.timeout(second, async {})), 1);
    let native = allocations(|| rt.interval(second));
    assert_eq!(allocations(|| erased.interval(second)), native + 1);
    let mut interval = erased.interval_at(erased.now(), Duration::from_nanos(1));
    rt.clock.advance(second);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(allocations(|| interval.poll_tick(&mut cx).is_ready()), 0);
    let mut sleep = erased.sleep(second);
    let later = erased.now() + second;
    assert_eq!(allocations(|| Pin::new(&mut sleep).reset(later)), 0);
}

#[test]
fn a_value_of_an_erased_task_is_boxed_unless_it_has_no_size() {
    fn ending<T: Send + 'static>(value: T) -> u64 {
        let rt = Rt::new();
        let erased = ErasedRuntime::new(rt.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let mut worker = Box::pin(rt.queue.run_until(pending::<()>()));
        // Once, to create what is created only once.
        drop(erased.spawn(async {}));
        let _ = worker.as_mut().poll(&mut cx);
        let _handle = erased.spawn(async { value });
        measure(|| {
            let _ = worker.as_mut().poll(&mut cx);
        })
        .count_total
    }
    assert_eq!(ending(()), 0);
    assert_eq!(ending(7_u64), 1);
}

#[test]
fn erased_sockets_allocate_what_the_documentation_says() {
    let rt = Rt::new();
    let erased = ErasedRuntime::new(rt.clone());
    let mut cx = Context::from_waker(Waker::noop());
    // One poll each, which never blocks.
    let mut poll = |future: &mut dyn FnMut(&mut Context<'_>)| future(&mut cx);

    let listener = rt.block_on(erased.bind_tcp("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut connected = Vec::with_capacity(8);
    let connect = allocations(|| {
        poll(&mut |cx| {
            let mut connect = std::pin::pin!(erased.connect_tcp_addr(address));
            match connect.as_mut().poll(cx) {
                std::task::Poll::Ready(stream) => connected.push(stream.unwrap()),
                std::task::Poll::Pending => panic!("std connects at once"),
            }
        });
    });
    assert_eq!(connect, 2);
    let accept = allocations(|| {
        poll(&mut |cx| {
            let mut accept = std::pin::pin!(listener.accept());
            assert!(accept.as_mut().poll(cx).is_ready());
        });
    });
    assert_eq!(accept, 2);

    let mut stream = connected.pop().unwrap();
    let talk = allocations(|| {
        poll(&mut |cx| {
            let slices = [IoSlice::new(b"x"), IoSlice::new(b"y")];
            let _ = Pin::new(&mut stream).poll_write_vectored(cx, &slices);
            let _ = Pin::new(&mut stream).poll_write(cx, b"x");
            let _ = Pin::new(&mut stream).poll_read(cx, &mut [0]);
        });
    });
    assert_eq!(talk, 0);
    assert_eq!(allocations(|| stream.local_addr()), 0);
    let peek = allocations(|| {
        poll(&mut |cx| {
            let mut buf = [0];
            let mut peek = std::pin::pin!(stream.peek(&mut buf));
            let _ = peek.as_mut().poll(cx);
        });
    });
    assert_eq!(peek, 1);

    let native = rt
        .tcp_stream_from_std(std::net::TcpStream::connect(address).unwrap())
        .unwrap();
    let mut halves = None;
    let native = measure(|| halves = Some(native.into_split())).count_total;
    let mut erased_halves = None;
    let split = measure(|| erased_halves = Some(stream.into_split())).count_total;
    assert_eq!(split, native + 2);
    let (read, write) = erased_halves.unwrap();
    let mut again = None;
    let reunite = measure(|| again = Some(TcpStream::reunite(read, write))).count_total;
    assert_eq!(reunite, 1);
    let _: anyrt_core::erased::ErasedTcpStream = again.unwrap().unwrap();

    let socket = rt.block_on(erased.bind_udp("127.0.0.1:0")).unwrap();
    let address = socket.local_addr().unwrap();
    let send = allocations(|| {
        poll(&mut |cx| {
            let mut send = std::pin::pin!(socket.send_to(b"x", address));
            assert!(send.as_mut().poll(cx).is_ready());
        });
    });
    assert_eq!(send, 1);
}

#[test]
fn erased_channels_allocate_what_the_documentation_says() {
    let rt = Rt::new();
    let erased = ErasedRuntime::new(rt.clone());
    let native = allocations(|| rt.bounded::<u64>(64));
    assert_eq!(allocations(|| erased.bounded::<u64>(64)), native + 2);
    let native = allocations(|| rt.unbounded::<u64>());
    assert_eq!(allocations(|| erased.unbounded::<u64>()), native + 2);

    let (sender, mut receiver) = erased.bounded::<u64>(64);
    assert_eq!(allocations(|| sender.clone()), 0);
    assert_eq!(allocations(|| sender.send(1).now_or_never().unwrap()), 2);
    assert_eq!(allocations(|| sender.try_send(2).unwrap()), 1);
    assert_eq!(allocations(|| receiver.recv().now_or_never().unwrap()), 0);
    assert_eq!(allocations(|| receiver.try_recv().unwrap()), 0);
    let (sender, mut receiver) = erased.unbounded::<()>();
    let nothing = allocations(|| sender.send(()).unwrap());
    assert_eq!(nothing, 0, "a value without a size");
    assert_eq!(allocations(|| receiver.try_recv().unwrap()), 0);
}
