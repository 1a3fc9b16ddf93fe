//! The stock: the number of pieces, and the pieces that each order took.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

mod service {
    include!(concat!(env!("OUT_DIR"), "/shop.Stock.rs"));
}

pub use service::stock_client::StockClient;
use service::stock_server::{Stock as Service, StockServer};

/// A request to take pieces.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TakeRequest {
    /// The number of the order; a repeated order gets the same answer.
    #[prost(uint64, tag = "1")]
    pub order: u64,
    /// The number of pieces.
    #[prost(uint32, tag = "2")]
    pub pieces: u32,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TakeReply {
    /// `true` if there were enough pieces.
    #[prost(bool, tag = "1")]
    pub taken: bool,
}

/// The contents of the file: the number of pieces, and the answer to each order.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
struct Pieces {
    left: u32,
    answered: HashMap<u64, bool>,
}

/// The stock, shared by its connections.
#[derive(Clone, Debug)]
pub struct Stock {
    directory: Arc<Path>,
    pieces: Arc<Mutex<Pieces>>,
}

impl Stock {
    /// Opens the stock in a directory; creates it with that many pieces if there is none.
    pub async fn open(directory: &Path, pieces: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).await?;
        if let Some(parent) = directory.parent() {
            sync(parent).await?;
        }
        let kept = match fs::read(directory.join("stock")).await {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Pieces {
                left: pieces,
                ..Pieces::default()
            },
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            directory: directory.into(),
            pieces: Arc::new(Mutex::new(kept)),
        })
    }

    /// Answers requests until the listener fails.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        Server::builder()
            .add_service(StockServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await?;
        Ok(())
    }

    /// Replaces the file: after a crash either the old or the new one is there.
    async fn keep(&self, pieces: &Pieces) -> io::Result<()> {
        let new = self.directory.join("stock.new");
        let mut file = File::create(&new).await?;
        file.write_all(&serde_json::to_vec(pieces)?).await?;
        file.flush().await?;
        file.sync_all().await?;
        drop(file);
        fs::rename(&new, self.directory.join("stock")).await?;
        sync(&self.directory).await
    }
}

async fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory).await?.sync_all().await
}

#[tonic::async_trait]
impl Service for Stock {
    async fn take(&self, request: Request<TakeRequest>) -> Result<Response<TakeReply>, Status> {
        let TakeRequest { order, pieces } = request.into_inner();
        // The order is executed completely, even if the connection ends.
        let stock = self.clone();
        let taken = tokio::spawn(async move { stock.carry_out(order, pieces).await }).await;
        match taken.map_err(io::Error::other).flatten() {
            Ok(taken) => Ok(Response::new(TakeReply { taken })),
            Err(error) => Err(Status::unavailable(error.to_string())),
        }
    }
}

impl Stock {
    async fn carry_out(&self, order: u64, pieces: u32) -> io::Result<bool> {
        let mut now = self.pieces.lock().await;
        if let Some(&taken) = now.answered.get(&order) {
            return Ok(taken);
        }
        let mut new = now.clone();
        let left = new.left.checked_sub(pieces);
        new.left = left.unwrap_or(new.left);
        new.answered.insert(order, left.is_some());
        self.keep(&new).await?;
        *now = new;
        Ok(left.is_some())
    }
}
