//! Prefers Glommio, and falls back to another backend where the kernel or a container forbids
//! io_uring.
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
/// Returns a runtime on the backend with that name, or on the first one that can be built.
fn preferred(name: &str) -> Result<Runtime> {
    let wanted = Backend::enabled().iter().filter(|b| b.name() == name);
    let others = Backend::enabled().iter().filter(|b| b.name() != name);
    let mut failure = "no backend is enabled".into();
    for backend in wanted.chain(others) {
        match Builder::new_multi_thread().backend(*backend).build() {
            Ok(runtime) => return Ok(runtime),
            Err(error) => {
                // The error names what is missing, and the remedy.
                eprintln!("{backend}: {error}");
                failure = error.into();
            }
        }
    }
    Err(failure)
}
// ANCHOR_END: fallback
