//! What all connections share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::pubsub::Hub;
use crate::store::Store;

/// The same as in Redis.
pub const MAX_CLIENTS: usize = 10_000;

/// The state shared by all connections.
pub struct Shared {
    pub store: Store,
    pub hub: Arc<Hub>,
    pub started: Instant,
    places: Arc<Semaphore>,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            store: Store::default(),
            hub: Arc::default(),
            started: Instant::now(),
            places: Arc::new(Semaphore::new(MAX_CLIENTS)),
        }
    }

    /// Takes a place for a client, if there is one.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// The number of clients.
    pub fn clients(&self) -> usize {
        MAX_CLIENTS - self.places.available_permits()
    }
}
