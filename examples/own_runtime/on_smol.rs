use crate::library::{Result, library};

// ANCHOR: smol
use std::sync::Arc;

use anyrt::runtime::Handle;
use anyrt_smol::SmolRuntime;

/// The application's own executor. One line declares it for the whole process.
pub fn main() -> Result<()> {
    let executor = Arc::new(smol::Executor::new());
    Handle::from(SmolRuntime::on(Arc::clone(&executor))).make_default()?;
    // The application runs it on any number of threads.
    let answer = smol::block_on(executor.run(executor.spawn(library())))?;
    println!("an application with its own Smol executor, {answer}");
    Ok(())
}
// ANCHOR_END: smol
