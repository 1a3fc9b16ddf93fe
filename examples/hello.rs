//! The first program of the book: a task that prints the name of its runtime.
//!
//! ```text
//! cargo run --example hello
//! ANYRT_BACKEND=smol cargo run --example hello
//! ```

// ANCHOR: program
use std::time::Duration;

use anyrt::runtime::Handle;
use anyrt::time::sleep;

#[anyrt::main]
async fn main() {
    let task = anyrt::spawn(async {
        sleep(Duration::from_millis(10)).await;
        Handle::current().backend().name()
    });
    match task.await {
        Ok(runtime) => println!("hello from {runtime}"),
        Err(error) => eprintln!("the task failed: {error}"),
    }
}
// ANCHOR_END: program
