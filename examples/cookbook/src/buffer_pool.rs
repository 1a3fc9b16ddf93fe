//! Reuses buffers, by size class: a request for 1,500 bytes returns a buffer with at least that
//! capacity.
//!
//! Use it where large buffers come and go at a rate that shows in a profile. Measure first:
//! allocators are good.
//! What guides miss: one list for all sizes returns a small buffer where a large one is needed, or
//! keeps large ones for small uses; a pool without a limit is a leak; a buffer that is not cleared
//! shows one client's bytes to another.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use anyrt::io::{AsyncReadExt, AsyncWriteExt, duplex};
use anyrt::task::JoinSet;
use bytes::BytesMut;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let pool = BufferPool::new(8);

    let mut buffer = pool.get(1_500);
    assert!(buffer.is_empty() && buffer.capacity() >= 1_500);
    buffer.extend_from_slice(b"secret");
    let address = buffer.as_ptr();
    drop(buffer);
    // The next one of the class gets the same memory, without the old contents.
    let again = pool.get(1_100);
    assert_eq!((again.as_ptr(), again.len()), (address, 0));
    // Another class has buffers of its own.
    let large = pool.get(60_000);
    assert!(large.capacity() >= 60_000 && large.as_ptr() != address);
    drop((again, large));
    assert_eq!(pool.idle(), 2);

    // Many connections; at the end no more buffers are kept than the limit says.
    let mut connections = JoinSet::new();
    for number in 0..50_u8 {
        let pool = pool.clone();
        connections.spawn(async move {
            let (mut client, mut server) = duplex(256);
            let sending = anyrt::spawn(async move { client.write_all(&[number; 4_000]).await });
            let mut buffer = pool.get(4_096);
            while server.read_buf(&mut *buffer).await? > 0 {}
            sending.await??;
            anyhow::Ok(buffer.len() == 4_000 && buffer.iter().all(|byte| *byte == number))
        });
    }
    while let Some(intact) = connections.join_next().await {
        assert!(intact??);
    }
    assert!(pool.idle() <= 2 + 8);
    println!("buffer_pool: one buffer reused, 50 connections served");
    Ok(())
}

// ANCHOR: pool
/// Buffers of 1 KiB to 1 MiB in classes of powers of two. Cheap to clone.
#[derive(Clone)]
struct BufferPool {
    classes: Arc<[Mutex<Vec<BytesMut>>]>,
    /// How many idle buffers a class keeps.
    limit: usize,
}

const SMALLEST: usize = 1024;
const CLASSES: usize = 11;

impl BufferPool {
    fn new(limit: usize) -> Self {
        Self {
            classes: (0..CLASSES).map(|_| Mutex::default()).collect(),
            limit,
        }
    }

    /// Returns an empty buffer with room for at least `size` bytes.
    fn get(&self, size: usize) -> PooledBuffer {
        let class = class_for(size);
        let idle = self.classes.get(class).and_then(|class| lock(class).pop());
        let buffer = idle.unwrap_or_else(|| {
            BytesMut::with_capacity(size.max(SMALLEST << class.min(CLASSES - 1)))
        });
        PooledBuffer {
            buffer,
            pool: self.clone(),
        }
    }

    fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        // By its current capacity: its user may have made it grow.
        let Some(class) = class_of(buffer.capacity()) else {
            return;
        };
        let mut idle = lock(&self.classes[class]);
        if idle.len() < self.limit {
            idle.push(buffer);
        }
    }

    fn idle(&self) -> usize {
        self.classes.iter().map(|class| lock(class).len()).sum()
    }
}

/// Returns the smallest class whose buffers hold `size`. No class holds more than the last one.
fn class_for(size: usize) -> usize {
    (size.div_ceil(SMALLEST).next_power_of_two()).trailing_zeros() as usize
}

/// Returns the largest class for which `capacity` is enough, or `None` if the buffer is too small
/// or too large to be kept.
fn class_of(capacity: usize) -> Option<usize> {
    let class = (capacity / SMALLEST).checked_ilog2()? as usize;
    (class < CLASSES).then_some(class)
}

fn lock(class: &Mutex<Vec<BytesMut>>) -> std::sync::MutexGuard<'_, Vec<BytesMut>> {
    class.lock().expect("no holder panics")
}

/// Returns to its pool when it is dropped.
struct PooledBuffer {
    buffer: BytesMut,
    pool: BufferPool,
}

impl Deref for PooledBuffer {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.buffer
    }
}

impl DerefMut for PooledBuffer {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.buffer));
    }
}
// ANCHOR_END: pool
