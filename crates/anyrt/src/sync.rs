//! Channels, locks and signals between tasks: Tokio's own on every backend, and
//! [`CancellationToken`].
//!
//! They need no runtime and work in every future, whichever executor polls it.
//!
//! | to | use |
//! |---|---|
//! | send values to one task, which handles them in order | [`mpsc`] |
//! | send one value, such as an answer | [`oneshot`] |
//! | send every value to every receiver | [`broadcast`] |
//! | publish the latest value, such as a configuration | [`watch`] |
//! | protect data across an `.await` | [`Mutex`], [`RwLock`]; without an `.await` `std::sync::Mutex` is faster |
//! | limit how many tasks do something at once | [`Semaphore`] |
//! | wake tasks without a value | [`Notify`] |
//! | wait until a number of tasks have arrived | [`Barrier`] |
//! | initialise a value once | [`OnceCell`] |
//! | ask tasks to stop | [`CancellationToken`] |
//!
//! # Channels
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::sync::{mpsc, oneshot};
//!
//! // A bounded channel: `send` waits while 32 values are queued. Each request brings the way back.
//! let (requests, mut inbox) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(32);
//! let server = anyrt::spawn(async move {
//!     while let Some((n, answer)) = inbox.recv().await {
//!         let _ = answer.send(n * n); // fails if the client no longer waits
//!     }
//! });
//!
//! let (answer, answered) = oneshot::channel();
//! requests.send((7, answer)).await?;
//! assert_eq!(answered.await?, 49);
//!
//! drop(requests); // the last sender: the server's loop ends
//! server.await?;
//! # Ok(()) });
//! ```
//!
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::sync::{broadcast, watch};
//!
//! // Each receiver gets each value. One that falls more than 16 values behind misses the oldest
//! // ones, and its next `recv` says how many.
//! let (news, mut first) = broadcast::channel(16);
//! let mut second = news.subscribe();
//! news.send("hello")?;
//! assert_eq!(first.recv().await?, "hello");
//! assert_eq!(second.recv().await?, "hello");
//!
//! // Receivers see the latest value only.
//! let (config, mut seen) = watch::channel(1);
//! config.send(2)?;
//! config.send(3)?;
//! seen.changed().await?;
//! assert_eq!(*seen.borrow_and_update(), 3);
//! # Ok(()) });
//! ```
//!
//! # Locks
//! ```
//! # anyrt::__private::run_example(async || {
//! use std::sync::Arc;
//! use anyrt::sync::{Mutex, RwLock, Semaphore};
//!
//! let log = Arc::new(Mutex::new(Vec::new()));
//! let settings = Arc::new(RwLock::new(3));
//! let permits = Arc::new(Semaphore::new(2)); // two at once
//!
//! let mut tasks = anyrt::task::JoinSet::new();
//! for n in 0..4 {
//!     let (log, settings, permits) = (log.clone(), settings.clone(), permits.clone());
//!     tasks.spawn(async move {
//!         let _permit = permits.acquire().await.expect("never closed");
//!         let factor = *settings.read().await;
//!         let mut log = log.lock().await; // may be held across an `.await`
//!         anyrt::task::yield_now().await;
//!         log.push(n * factor);
//!     });
//! }
//! tasks.join_all().await;
//! *settings.write().await += 1;
//! assert_eq!(log.lock().await.iter().sum::<i32>(), 18);
//! # Ok(()) });
//! ```
//!
//! # Signals between tasks
//! ```
//! # anyrt::__private::run_example(async || {
//! use std::sync::Arc;
//! use anyrt::sync::{Barrier, CancellationToken, Notify};
//!
//! let changed = Arc::new(Notify::new());
//! let seen = Arc::clone(&changed);
//! let waiter = anyrt::spawn(async move { seen.notified().await });
//! changed.notify_one(); // kept if nobody waits yet
//! waiter.await?;
//!
//! let barrier = Arc::new(Barrier::new(2));
//! let same = Arc::clone(&barrier);
//! let other = anyrt::spawn(async move { same.wait().await.is_leader() });
//! let leads = barrier.wait().await.is_leader();
//! assert_ne!(leads, other.await?); // exactly one of them
//!
//! let stop = CancellationToken::new();
//! let stopped = stop.clone();
//! let worker = anyrt::spawn(async move { stopped.cancelled().await });
//! stop.cancel();
//! worker.await?;
//! # Ok(()) });
//! ```

#[doc(inline)]
pub use anyrt_core::CancellationToken;
#[doc(no_inline)]
pub use tokio::sync::*;
