//! The floor: the same work with nothing between it and the system.

use std::future::Future;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyrt_bench::work::{Figure, median, seconds};
use rustix::event::{EventfdFlags, epoll, eventfd};

/// Echoes over bare epoll until killed; prints its address.
pub(crate) fn epoll_echo() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let accepting = u64::MAX;
    epoll::add(
        &epoll,
        &listener,
        epoll::EventData::new_u64(accepting),
        epoll::EventFlags::IN,
    )?;
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut events = [MaybeUninit::<epoll::Event>::uninit(); 256];
    let mut buffer = [0; 4096];
    loop {
        let (ready, _) = epoll::wait(&epoll, &mut events, None)?;
        for event in ready.iter() {
            let key = event.data.u64();
            if key == accepting {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let data = epoll::EventData::new_u64(streams.len() as u64);
                epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
                streams.push(Some(stream));
                continue;
            }
            let Some(slot) = usize::try_from(key)
                .ok()
                .and_then(|key| streams.get_mut(key))
            else {
                continue;
            };
            let Some(stream) = slot else { continue };
            match stream.read(&mut buffer) {
                Ok(read) if read > 0 && stream.write_all(&buffer[..read]).is_ok() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => *slot = None,
            }
        }
    }
}

/// A future that is pending once, polled by a loop that does nothing else; nanoseconds per poll.
pub(crate) fn poll_loop(time: Duration) -> Figure {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Ready(())
            } else {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
    const EACH: u32 = 100_000;
    let mut cx = Context::from_waker(Waker::noop());
    let (begin, mut each) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        let mut body = Box::pin(async {
            for _ in 0..EACH {
                Once(std::hint::black_box(false)).await;
            }
        });
        while body.as_mut().poll(&mut cx).is_pending() {}
        each.push(seconds(start) * 1e9 / f64::from(EACH));
    }
    ("switch", median(each))
}

/// Two threads that wake each other through eventfds; nanoseconds per wake-up.
pub(crate) fn eventfd_wake(time: Duration) -> io::Result<Figure> {
    let (ours, theirs) = (
        eventfd(0, EventfdFlags::empty())?,
        eventfd(0, EventfdFlags::empty())?,
    );
    let (their_end, our_end) = (theirs.try_clone()?, ours.try_clone()?);
    // Ends with the process.
    std::thread::spawn(move || {
        let mut count = [0; 8];
        while rustix::io::read(&their_end, &mut count).is_ok() {
            if rustix::io::write(&our_end, &1_u64.to_ne_bytes()).is_err() {
                return;
            }
        }
    });
    const EACH: u32 = 500;
    let (begin, mut each) = (Instant::now(), Vec::new());
    let mut count = [0; 8];
    while begin.elapsed() < time {
        let start = Instant::now();
        for _ in 0..EACH {
            rustix::io::write(&theirs, &1_u64.to_ne_bytes())?;
            rustix::io::read(&ours, &mut count)?;
        }
        each.push(seconds(start) * 1e9 / f64::from(2 * EACH));
    }
    Ok(("wake", median(each)))
}
