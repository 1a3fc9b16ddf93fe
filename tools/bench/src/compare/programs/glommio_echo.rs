use futures_util::{AsyncReadExt, AsyncWriteExt};
use glommio::net::TcpListener;
use glommio::{LocalExecutor, spawn_local};

fn main() -> std::io::Result<()> {
    LocalExecutor::default().run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        println!("{}", listener.local_addr()?);
        loop {
            let mut stream = listener.accept().await?;
            let echo = spawn_local(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
            echo.detach();
        }
    })
}
