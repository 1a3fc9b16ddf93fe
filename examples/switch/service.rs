//! The application: a key-value service with length-prefixed frames. It names no runtime.
//!
//! ```text
//! request   length: u32   operation: u8   key: u64   payload…      (big endian; length of the rest)
//! reply     length: u32   status: u8      payload…
//! ```

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyrt::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::shutdown::GracefulShutdown;
use anyrt::sync::RwLock;
use anyrt::time::timeout;

/// Stores the payload; the reply is empty.
pub const PUT: u8 = 1;
/// The reply is the stored payload.
pub const GET: u8 = 2;
/// The reply is the FNV-1a hash of the stored payload, computed on the blocking pool.
pub const HASH: u8 = 3;

/// The request succeeded.
pub const OK: u8 = 0;
/// No value is stored under that key.
pub const MISSING: u8 = 1;
/// The request is invalid.
pub const BAD_REQUEST: u8 = 2;

const MAX_FRAME: u32 = 1 << 20;
const HEADER: usize = 1 + 8;
/// A client that sends nothing for this time is disconnected.
const IDLE: Duration = Duration::from_secs(30);
/// A reply that takes longer than this is an error.
const ANSWER: Duration = Duration::from_secs(5);

type Store = Arc<RwLock<HashMap<u64, Arc<[u8]>>>>;

/// A running service.
pub struct Service {
    address: SocketAddr,
    shutdown: GracefulShutdown,
}

impl Service {
    pub async fn start(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shutdown = GracefulShutdown::new();
        let store = Store::default();
        shutdown.spawn({
            let shutdown = shutdown.clone();
            async move {
                let accepting = accept(listener, store, &shutdown);
                shutdown.token().run_until_cancelled(accepting).await;
            }
        });
        Ok(Self { address, shutdown })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, and waits for the connections to end.
    pub async fn stop(self) -> io::Result<()> {
        self.shutdown
            .shutdown(Duration::from_secs(5))
            .await
            .map_err(io::Error::other)
    }
}

async fn accept(listener: TcpListener, store: Store, connections: &GracefulShutdown) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let store = Arc::clone(&store);
                connections.spawn(async move {
                    if let Err(error) = serve(stream, store).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            // Too many open files, for example: the listener still works, and other connections
            // will end.
            Err(error) => {
                eprintln!("accept: {error}");
                anyrt::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, store: Store) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut request = Vec::new();
    let mut reply = Vec::new();
    while timeout(IDLE, read_frame(&mut reader, &mut request)).await?? {
        reply.clear();
        reply.extend_from_slice(&[0; 4]);
        timeout(ANSWER, answer(&request, &store, &mut reply)).await??;
        let length = u32::try_from(reply.len() - 4).map_err(io::Error::other)?;
        reply[..4].copy_from_slice(&length.to_be_bytes());
        writer.write_all(&reply).await?;
    }
    Ok(())
}

/// Reads one frame. Returns `false` if the client has ended between two frames.
async fn read_frame(
    reader: &mut (impl AsyncReadExt + Unpin),
    frame: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut length = [0; 4];
    if reader.read(&mut length[..1]).await? == 0 {
        return Ok(false);
    }
    reader.read_exact(&mut length[1..]).await?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes; {MAX_FRAME} are allowed"),
        ));
    }
    frame.resize(length as usize, 0);
    reader.read_exact(frame).await?;
    Ok(true)
}

async fn answer(request: &[u8], store: &Store, reply: &mut Vec<u8>) -> io::Result<()> {
    let Some((header, payload)) = request.split_at_checked(HEADER) else {
        reply.push(BAD_REQUEST);
        return Ok(());
    };
    let mut key = [0; 8];
    key.copy_from_slice(&header[1..]);
    let key = u64::from_be_bytes(key);
    if header[0] == PUT {
        store.write().await.insert(key, payload.into());
        reply.push(OK);
        return Ok(());
    }
    let Some(value) = store.read().await.get(&key).cloned() else {
        reply.push(MISSING);
        return Ok(());
    };
    match header[0] {
        GET => {
            reply.push(OK);
            reply.extend_from_slice(&value);
        }
        HASH => {
            let hash = anyrt::task::spawn_blocking(move || fnv1a(&value)).await?;
            reply.push(OK);
            reply.extend_from_slice(&hash.to_be_bytes());
        }
        _ => reply.push(BAD_REQUEST),
    }
    Ok(())
}

/// <http://www.isthe.com/chongo/tech/comp/fnv/>
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
