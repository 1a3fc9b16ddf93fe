use crate::library::{Result, library};

// ANCHOR: tokio
/// Nothing to declare: inside a Tokio runtime, anyrt uses that runtime.
pub fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async { tokio::spawn(library()).await })??;
    println!("an application on Tokio, {answer}");
    Ok(())
}
// ANCHOR_END: tokio
