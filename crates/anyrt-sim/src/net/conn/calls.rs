//! The calls of an application on its end of a connection, with Linux's errors in Linux's order.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use rustix::io::Errno;

use super::{CAPACITY, End, Segment};
use crate::net::route::error;
use crate::net::{Arrival, Net};
use crate::wait::{self, Wait};

/// Whether a read consumes the bytes.
pub(crate) enum Reader<'a, 'b> {
    Take(&'a mut [&'b mut [u8]]),
    Peek(&'a mut [u8]),
}

impl Net {
    pub(crate) fn poll_read(
        &mut self,
        now: u64,
        (id, at): (u64, usize),
        reader: Reader<'_, '_>,
        ticket: Option<&mut Option<u64>>,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<usize>>, Option<Waker>) {
        if let Some(result) = self.read(now, (id, at), reader) {
            return (Poll::Ready(result), None);
        }
        let Some(conn) = self.conns.get_mut(&id) else {
            return (Poll::Pending, None);
        };
        let peer = conn.ends[1 - at].local;
        let end = &mut conn.ends[at];
        wait::note(Wait::Read(end.local, peer));
        end.reading.set_stays(false);
        let own = &mut end.read_ticket;
        let old = end.reading.register(ticket.unwrap_or(own), cx.waker());
        (Poll::Pending, old)
    }

    /// Reads the available data. Returns `None` if the call has to wait.
    pub(crate) fn read(
        &mut self,
        now: u64,
        (id, at): (u64, usize),
        reader: Reader<'_, '_>,
    ) -> Option<io::Result<usize>> {
        let ended = self.alive();
        let Some(conn) = self.conns.get_mut(&id) else {
            return Some(Err(error(Errno::NOTCONN)));
        };
        let end = &mut conn.ends[at];
        if !end.received.is_empty() {
            let (bytes, takes) = match reader {
                Reader::Take(bufs) => {
                    let bytes = take(&mut end.received, bufs);
                    let is_full = bytes == bufs.iter().map(|buf| buf.len()).sum::<usize>();
                    end.reading.set_stays(is_full);
                    (bytes, true)
                }
                Reader::Peek(buf) => (peek(&end.received, buf), false),
            };
            if takes && bytes > 0 {
                let (node, to) = (end.node, conn.ends[1 - at].node);
                let when = now + self.latency(node, to);
                let end = 1 - at;
                self.plan(
                    when,
                    Arrival::Taken {
                        conn: id,
                        end,
                        bytes,
                    },
                );
            }
            return Some(Ok(bytes));
        }
        // Linux's order: after a FIN, no error is reported.
        if end.eof {
            return Some(Ok(0));
        }
        if let Some(errno) = end.error.take() {
            return Some(Err(error(errno)));
        }
        if end.shut_read || !end.exists {
            return Some(Ok(0));
        }
        ended.err().map(Err)
    }

    pub(crate) fn poll_write(
        &mut self,
        now: u64,
        (id, at): (u64, usize),
        bufs: &[&[u8]],
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<usize>>, Option<Waker>) {
        if let Some(result) = self.write(now, (id, at), bufs) {
            return (Poll::Ready(result), None);
        }
        let Some(conn) = self.conns.get_mut(&id) else {
            return (Poll::Pending, None);
        };
        let peer = conn.ends[1 - at].local;
        let end = &mut conn.ends[at];
        wait::note(Wait::Write(end.local, peer));
        let old = end.writing.register(&mut end.write_ticket, cx.waker());
        (Poll::Pending, old)
    }

    /// Writes as many bytes as fit. Returns `None` if the call has to wait.
    pub(crate) fn write(
        &mut self,
        now: u64,
        (id, at): (u64, usize),
        bufs: &[&[u8]],
    ) -> Option<io::Result<usize>> {
        let ended = self.alive();
        let Some(conn) = self.conns.get_mut(&id) else {
            return Some(Err(error(Errno::PIPE)));
        };
        let end = &mut conn.ends[at];
        if end.error.is_some() || end.fin_sent || !end.exists {
            let errno = end.error.take().unwrap_or(Errno::PIPE);
            return Some(Err(error(errno)));
        }
        let room = CAPACITY.saturating_sub(end.unread);
        let wanted: usize = bufs.iter().map(|buf| buf.len()).sum();
        if wanted == 0 {
            return Some(Ok(0));
        }
        if room == 0 {
            return ended.err().map(Err);
        }
        let mut bytes = Vec::with_capacity(room.min(wanted));
        for buf in bufs {
            let left = room - bytes.len();
            bytes.extend_from_slice(&buf[..buf.len().min(left)]);
        }
        end.unread += bytes.len();
        let sent = bytes.len();
        self.send(now, id, at, Segment::Data(bytes));
        Some(Ok(sent))
    }

    pub(crate) fn forget_reader(
        &mut self,
        (id, end): (u64, usize),
        ticket: Option<u64>,
    ) -> Option<Waker> {
        let conn = self.conns.get_mut(&id)?;
        conn.ends[end].reading.forget(ticket)
    }

    pub(crate) fn shutdown(
        &mut self,
        now: u64,
        (id, at): (u64, usize),
        how: std::net::Shutdown,
        woken: &mut Vec<Waker>,
    ) -> io::Result<()> {
        use std::net::Shutdown::{Both, Read, Write};
        let end = self.end_mut((id, at))?;
        if end.is_over() {
            return Err(error(Errno::NOTCONN));
        }
        if matches!(how, Read | Both) {
            end.shut_read = true;
            end.reading.take(woken);
        }
        if matches!(how, Write | Both) && !std::mem::replace(&mut end.fin_sent, true) {
            end.writing.take(woken);
            self.send(now, id, at, Segment::Fin);
        }
        Ok(())
    }

    pub(crate) fn end_mut(&mut self, (id, at): (u64, usize)) -> io::Result<&mut End> {
        let conn = self.conns.get_mut(&id);
        conn.map(|conn| &mut conn.ends[at])
            .ok_or_else(|| error(Errno::NOTCONN))
    }

    pub(crate) fn peer_addr(&self, (id, at): (u64, usize)) -> io::Result<SocketAddr> {
        match self.conns.get(&id) {
            Some(conn) if !conn.ends[at].is_over() => Ok(conn.addresses(at)[1]),
            _ => Err(error(Errno::NOTCONN)),
        }
    }

    /// Closes this end: the application has dropped it.
    pub(crate) fn close(&mut self, now: u64, (id, at): (u64, usize)) {
        let Ok(end) = self.end_mut((id, at)) else {
            return;
        };
        end.closed = true;
        // Once both FINs are acknowledged, nothing is left to reset.
        let resets = !end.is_over() && (end.linger_zero || !end.received.is_empty());
        end.received.clear();
        if end.connecting {
            (end.exists, end.connecting) = (false, false);
            let answered = self.conns.get(&id).is_some_and(|conn| conn.ends[1].exists);
            if answered {
                self.send(now, id, at, Segment::Rst);
            }
        } else if end.exists && resets {
            end.exists = false;
            self.send(now, id, at, Segment::Rst);
        } else if end.exists && !std::mem::replace(&mut end.fin_sent, true) {
            self.send(now, id, at, Segment::Fin);
        }
        self.forget_if_over(id);
    }
}

fn take(from: &mut VecDeque<u8>, bufs: &mut [&mut [u8]]) -> usize {
    let mut taken = 0;
    for buf in bufs {
        let count = peek(from, buf);
        from.drain(..count);
        taken += count;
    }
    taken
}

fn peek(from: &VecDeque<u8>, buf: &mut [u8]) -> usize {
    let (first, second) = from.as_slices();
    let in_first = buf.len().min(first.len());
    let in_second = (buf.len() - in_first).min(second.len());
    buf[..in_first].copy_from_slice(&first[..in_first]);
    buf[in_first..in_first + in_second].copy_from_slice(&second[..in_second]);
    in_first + in_second
}
