//! Pin: what it promises, when to write it, and how to reach into a pinned struct without `unsafe`.
//!
//! Use `std::pin::pin!` to poll a future by reference, `Box::pin` to store or return one,
//! `pin-project-lite` for a struct that has a future inside.
//! What guides miss: `Pin` does not make a value immovable, it promises that it will not be moved,
//! and only for `!Unpin` types does that mean anything; a future that was never polled may move
//! freely.

use std::marker::PhantomPinned;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use anyrt::task::yield_now;
use pin_project_lite::pin_project;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: pin
    // Pinned to this stack frame: it may be awaited in parts, by `&mut`.
    let mut future = pin!(borrows_itself());
    assert!(futures_util::poll!(future.as_mut()).is_pending());
    assert_eq!(future.await, 6);
    // ANCHOR_END: pin

    // ANCHOR: boxed
    // Different futures in one list need a common type, and an address that is stable
    // while the list grows.
    let mut list: Vec<Pin<Box<dyn Future<Output = u32> + Send>>> = Vec::new();
    list.push(Box::pin(borrows_itself()));
    list.push(Box::pin(async { 4 }));
    // A recursive `async fn` needs a box as well: its size would be infinite.
    list.push(Box::pin(factorial(4)));
    let mut sum = 0;
    for future in list {
        sum += future.await;
    }
    assert_eq!(sum, 6 + 4 + 24);
    // ANCHOR_END: boxed

    let (polls, value) = Counted::new(borrows_itself()).await;
    assert_eq!((polls, value), (2, 6));

    // `Unpin` means that moving is harmless even when pinned. Futures of `async` blocks are not
    // `Unpin`.
    fn is_unpin<T: Unpin>(_: &T) {}
    is_unpin(&std::future::ready(1));
    is_unpin(&Box::pin(PhantomPinned));
    println!("pin: sum {sum}, {polls} polls counted");
    Ok(())
}

/// Holds a reference into itself across an `.await`, the reason why futures must not move once
/// polled.
async fn borrows_itself() -> u32 {
    let numbers = [1, 2, 3];
    let borrowed = &numbers;
    yield_now().await;
    borrowed.iter().sum()
}

fn factorial(n: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        yield_now().await;
        if n == 0 {
            1
        } else {
            n * factorial(n - 1).await
        }
    })
}

// ANCHOR: project
pin_project! {
    /// The number of polls of the future inside.
    struct Counted<F> {
        polls: u32,
        // Pinned with the struct. A field without the attribute is a plain `&mut` in the
        // projection.
        #[pin]
        inner: F,
    }
}

impl<F> Counted<F> {
    fn new(inner: F) -> Self {
        Self { polls: 0, inner }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = (u32, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        *this.polls += 1;
        this.inner.poll(cx).map(|value| (*this.polls, value))
    }
}
// ANCHOR_END: project
