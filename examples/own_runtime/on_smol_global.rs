use crate::library::{Result, library};

// ANCHOR: global
use anyrt::runtime::Handle;
use anyrt_smol::SmolRuntime;

/// Smol's global executor, declared for one future instead of the process.
pub fn main() -> Result<()> {
    let runtime = Handle::from(SmolRuntime::global());
    let answer = smol::block_on(runtime.wrap(library()))?;
    println!("an application on smol::spawn, {answer}");
    Ok(())
}
// ANCHOR_END: global
