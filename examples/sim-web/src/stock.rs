//! The stock: how many pieces there are, and which order took how many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

mod service {
    include!(concat!(env!("OUT_DIR"), "/shop.Stock.rs"));
}

pub use service::stock_client::StockClient;
use service::stock_server::{Stock as Service, StockServer};

/// An order takes pieces.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TakeRequest {
    /// The number of the order; the same again is answered the same.
    #[prost(uint64, tag = "1")]
    pub order: u64,
    /// How many pieces.
    #[prost(uint32, tag = "2")]
    pub pieces: u32,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TakeReply {
    /// Whether there were as many.
    #[prost(bool, tag = "1")]
    pub taken: bool,
}

#[derive(Debug)]
struct Pieces {
    left: u32,
    answered: HashMap<u64, bool>,
}

/// The stock, shared by its connections.
#[derive(Clone, Debug)]
pub struct Stock {
    pieces: Arc<Mutex<Pieces>>,
}

impl Stock {
    /// A stock of that many pieces.
    pub fn new(pieces: u32) -> Self {
        let pieces = Pieces {
            left: pieces,
            answered: HashMap::new(),
        };
        Self {
            pieces: Arc::new(Mutex::new(pieces)),
        }
    }

    /// Answers requests until the listener fails.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        Server::builder()
            .add_service(StockServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await?;
        Ok(())
    }
}

#[tonic::async_trait]
impl Service for Stock {
    async fn take(&self, request: Request<TakeRequest>) -> Result<Response<TakeReply>, Status> {
        let TakeRequest { order, pieces } = request.into_inner();
        let mut stock = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&taken) = stock.answered.get(&order) {
            return Ok(Response::new(TakeReply { taken }));
        }
        let left = stock.left.checked_sub(pieces);
        stock.left = left.unwrap_or(stock.left);
        stock.answered.insert(order, left.is_some());
        let taken = left.is_some();
        Ok(Response::new(TakeReply { taken }))
    }
}
