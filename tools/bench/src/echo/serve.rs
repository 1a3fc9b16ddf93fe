//! The servers: the same echo on each runtime with a given number of workers.

use std::future::pending;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyrt_bench::Backend;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use rustix::thread::{CpuSet, sched_setaffinity};

use super::{Result, Sockets};
use crate::fail::fail;

static ANSWERS: AtomicU64 = AtomicU64::new(0);

const ANY_PORT: &str = "127.0.0.1:0";

/// Runs the child that serves: `SOCKETS BACKEND WORKERS`. Prints its process and its address, and
/// at the end of its input the number of its answers.
pub(crate) fn serve(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or_else(|| fail("an argument is missing"));
    let (sockets, backend) = (next()?, next()?);
    let workers: usize = next()?.parse()?;
    let backend = Backend::parse(&backend).ok_or_else(|| fail("no such backend"))?;
    let mut cores = CpuSet::new();
    (0..workers).for_each(|core| cores.set(core));
    sched_setaffinity(None, &cores)?;
    println!("{}", std::process::id());
    std::thread::spawn(|| {
        let ended = io::stdin().read_to_end(&mut Vec::new());
        println!("{}", ANSWERS.load(Ordering::SeqCst));
        std::process::exit(i32::from(ended.is_err()));
    });
    let sockets = Sockets::parse(&sockets).ok_or_else(|| fail("no such sockets"))?;
    if sockets != Sockets::Native {
        through_anyrt(backend, workers, sockets)?;
        return Ok(());
    }
    match backend {
        Backend::Tokio => native_tokio(workers)?,
        Backend::Smol => native_smol(workers)?,
        Backend::AsyncStd => native_async_std()?,
        Backend::Glommio => native_glommio()?,
    }
    Ok(())
}

fn started(address: SocketAddr) {
    println!("{address}");
}

async fn echo<S>(mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 || stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        ANSWERS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Echoes on each connection of one of these listeners, which look alike but share no trait. An
/// expression of `io::Result<Infallible>`.
macro_rules! accept {
    ($net:path, $echo:expr, $spawn:expr) => {{
        use $net as net;
        let listener = net::TcpListener::bind(ANY_PORT).await?;
        started(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            $spawn($echo(stream));
        }
    }};
}

fn through_anyrt(backend: Backend, workers: usize, sockets: Sockets) -> Result<()> {
    let runtime = anyrt::runtime::Builder::new_multi_thread()
        .backend(backend.name().parse()?)
        .worker_threads(workers)
        .build()?;
    let server = match (sockets, backend) {
        (Sockets::Inside, Backend::Tokio) => {
            runtime.spawn(async { accept!(tokio::net, echo_tokio, anyrt::spawn) })
        }
        (Sockets::Inside, Backend::Smol) => {
            runtime.spawn(async { accept!(smol::net, echo, anyrt::spawn) })
        }
        (Sockets::Inside, Backend::AsyncStd) => {
            runtime.spawn(async { accept!(async_std::net, echo, anyrt::spawn) })
        }
        (Sockets::Inside, Backend::Glommio) => {
            return Err(fail("Glommio's sockets stay on one thread"));
        }
        _ => runtime.spawn(async { accept!(anyrt::net, echo, anyrt::spawn) }),
    };
    let served: io::Result<()> = runtime.block_on(server)?;
    Ok(served?)
}

async fn echo_tokio(mut stream: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 || stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        ANSWERS.fetch_add(1, Ordering::Relaxed);
    }
}

fn native_tokio(workers: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let server = runtime.spawn(async { accept!(tokio::net, echo_tokio, tokio::spawn) });
    let served: io::Result<()> = runtime.block_on(server)?;
    Ok(served?)
}

fn native_smol(workers: usize) -> Result<()> {
    let executor: &smol::Executor<'static> = Box::leak(Box::default());
    for _ in 1..workers {
        std::thread::spawn(|| smol::block_on(executor.run(pending::<()>())));
    }
    let spawn = |future| executor.spawn(future).detach();
    let server = executor.spawn(async move { accept!(smol::net, echo, spawn) });
    let served: io::Result<()> = smol::block_on(executor.run(server));
    Ok(served?)
}

fn native_async_std() -> Result<()> {
    let server =
        async_std::task::spawn(async { accept!(async_std::net, echo, async_std::task::spawn) });
    let served: io::Result<()> = async_std::task::block_on(server);
    Ok(served?)
}

fn native_glommio() -> Result<()> {
    let executor = glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound).make();
    let executor = executor.map_err(|error| fail(error.to_string()))?;
    executor.run(async {
        let told = |error: glommio::GlommioError<()>| fail(error.to_string());
        let listener = glommio::net::TcpListener::bind(ANY_PORT).map_err(told)?;
        started(listener.local_addr().map_err(told)?);
        loop {
            let stream = listener.accept().await.map_err(told)?;
            stream.set_nodelay(true).map_err(told)?;
            glommio::spawn_local(echo(stream)).detach();
        }
    })
}
