//! A customer, which repeats an order until it receives an answer.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use tokio::time::sleep;

use crate::shop::{Order, Receipt};

/// Sends orders to a shop, at an address such as `http://shop:80`.
#[derive(Clone, Debug)]
pub struct Customer {
    client: Client,
    shop: &'static str,
}

impl Customer {
    pub fn new(shop: &'static str) -> reqwest::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(3))
            .build()?;
        Ok(Self { client, shop })
    }

    /// Repeats an order until the shop has answered. Returns the number of pieces that were sold,
    /// and the number of attempts.
    pub async fn order(&self, number: u64, pieces: u32) -> (u32, u32) {
        let url = format!("{}/orders/{number}", self.shop);
        for attempt in 1.. {
            if let Some(sold) = self.ask(&url, pieces).await {
                return (sold, attempt);
            }
            sleep(Duration::from_millis(200)).await;
        }
        unreachable!("it asks for ever")
    }

    async fn ask(&self, url: &str, pieces: u32) -> Option<u32> {
        let request = self.client.put(url).json(&Order { pieces });
        let answer = request.send().await.ok()?;
        match answer.status() {
            StatusCode::GONE => Some(0),
            StatusCode::OK => Some(answer.json::<Receipt>().await.ok()?.sold),
            _ => None,
        }
    }
}
