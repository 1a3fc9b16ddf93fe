//! The shop: takes orders by HTTP.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use crate::stock::{StockClient, TakeRequest};

/// The order of a customer.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Order {
    pub pieces: u32,
}

/// The answer to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Receipt {
    pub sold: u32,
}

/// Takes orders until the listener fails; `stock` is the address of the stock, such as
/// `http://stock:50051`.
pub async fn serve(listener: TcpListener, stock: &'static str) -> anyhow::Result<()> {
    let channel = Endpoint::from_static(stock)
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(2))
        .connect_lazy();
    let router = Router::new()
        .route("/orders/{number}", put(order))
        .with_state(StockClient::new(channel));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn order(
    State(mut stock): State<StockClient<Channel>>,
    Path(order): Path<u64>,
    Json(Order { pieces }): Json<Order>,
) -> Result<Json<Receipt>, StatusCode> {
    match stock.take(TakeRequest { order, pieces }).await {
        Ok(reply) if reply.get_ref().taken => Ok(Json(Receipt { sold: pieces })),
        Ok(_) => Err(StatusCode::GONE),
        // The customer repeats the order, which has a number.
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
