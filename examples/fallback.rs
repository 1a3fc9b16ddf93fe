//! Prefers Glommio, and falls back to another backend where the kernel or a container forbids io_uring.
//!
//! ```text
//! cargo run --example fallback
//! ```

use anyrt::runtime::{Backend, Builder, Runtime};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let runtime = preferred("glommio")?;
    let backend = runtime.handle().backend();
    let answer = runtime.block_on(async { anyrt::spawn(async { 42 }).await })?;
    assert_eq!(answer, 42);
    println!("{backend}: {answer}");
    Ok(())
}

// ANCHOR: fallback
/// A runtime on the backend of that name, or on the first one that can be built.
fn preferred(name: &str) -> Result<Runtime> {
    let wanted = Backend::enabled().iter().filter(|b| b.name() == name);
    let others = Backend::enabled().iter().filter(|b| b.name() != name);
    let mut failure = "no backend is enabled".into();
    for backend in wanted.chain(others) {
        match Builder::new_multi_thread().backend(*backend).build() {
            Ok(runtime) => return Ok(runtime),
            Err(error) => {
                // It says what is missing, and how to get it.
                eprintln!("{backend}: {error}");
                failure = error.into();
            }
        }
    }
    Err(failure)
}
// ANCHOR_END: fallback
