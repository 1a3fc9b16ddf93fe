//! A server over bare epoll: the floor of every server here.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};

use anyrt_bench::work::Dialogue;
use rustix::event::epoll;

use super::floor::answer;

/// Serves until killed; prints its address.
pub(crate) fn serve(dialogue: Dialogue) -> io::Result<()> {
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
                Ok(read) if read > 0 => {
                    let length = answer(dialogue, &mut buffer, read);
                    if stream.write_all(&buffer[..length]).is_err() {
                        *slot = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => *slot = None,
            }
        }
    }
}
