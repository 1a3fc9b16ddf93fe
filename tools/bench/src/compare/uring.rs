//! A server over a bare io_uring, one operation in flight per connection.
//!
//! The only file with unsafe code: the ring needs addresses of buffers, for which there is no safe
//! crate.
#![expect(unsafe_code, reason = "io_uring reads and writes memory by address")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyrt_bench::work::Dialogue;
use io_uring::{IoUring, opcode, types};

use super::floor::answer;

/// Leaked, so that it stays in place while the ring uses its buffer.
struct Connection {
    stream: TcpStream,
    buffer: [u8; 4096],
    sending: bool,
}

const ACCEPTED: u64 = u64::MAX;

/// Serves until killed; prints its address.
pub(crate) fn serve(dialogue: Dialogue) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let mut ring = IoUring::new(1024)?;
    let mut connections: Vec<&mut Connection> = Vec::new();
    let listening = types::Fd(listener.as_raw_fd());
    let readable = opcode::PollAdd::new(listening, 1)
        .multi(true)
        .build()
        .user_data(ACCEPTED);
    // SAFETY: the operation names a descriptor that lives as long as the ring, and no memory.
    unsafe { ring.submission().push(&readable) }.map_err(io::Error::other)?;
    loop {
        ring.submit_and_wait(1)?;
        let done: Vec<(u64, i32)> = ring
            .completion()
            .map(|entry| (entry.user_data(), entry.result()))
            .collect();
        for (key, result) in done {
            if key == ACCEPTED {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    stream.set_nonblocking(false)?;
                    let connection = Box::leak(Box::new(Connection {
                        stream,
                        buffer: [0; 4096],
                        sending: true,
                    }));
                    next(&mut ring, connections.len(), connection, dialogue, 0)?;
                    connections.push(connection);
                }
                continue;
            }
            let key = usize::try_from(key).map_err(io::Error::other)?;
            // Zero is the end of the connection, a negative number an error; in both cases nothing
            // is in flight on it.
            if let Ok(bytes @ 1..) = u32::try_from(result) {
                next(&mut ring, key, connections[key], dialogue, bytes)?;
            }
        }
    }
}

/// After a receive: sends the answer, if it is complete; after a send: receives.
fn next(
    ring: &mut IoUring,
    key: usize,
    connection: &mut Connection,
    dialogue: Dialogue,
    bytes: u32,
) -> io::Result<()> {
    connection.sending = !connection.sending;
    let mut length = 0;
    if connection.sending {
        length = answer(dialogue, &mut connection.buffer, bytes as usize);
        connection.sending = length > 0;
    }
    let fd = types::Fd(connection.stream.as_raw_fd());
    let buffer = connection.buffer.as_mut_ptr();
    let entry = if connection.sending {
        opcode::Send::new(fd, buffer, length as u32).build()
    } else {
        opcode::Recv::new(fd, buffer, 4096).build()
    };
    let entry = entry.user_data(key as u64);
    // SAFETY: the buffer is leaked and has 4096 bytes, of which the answer takes `length`; there is
    // one operation in flight per connection, so nothing else accesses it until the operation is
    // done.
    unsafe { ring.submission().push(&entry) }.map_err(io::Error::other)
}
