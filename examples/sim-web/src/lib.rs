//! A shop, written for Tokio: customers order by HTTP, and the shop takes the ordered pieces from a
//! stock by gRPC.
//!
//! ```text
//!   customer --reqwest--> shop (axum) --tonic--> stock (tonic)
//! ```
//!
//! Requests may be lost, repeated and late, and machines restart. Even so nothing is sold twice: an
//! order has a number, and the stock keeps its answer to that number in a file.

pub mod customer;
pub mod shop;
pub mod stock;
