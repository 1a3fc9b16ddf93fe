use crate::library::{Result, library};

// ANCHOR: async_std
/// Nothing to declare: a task of async-std is found automatically.
pub fn main() -> Result<()> {
    let answer = async_std::task::block_on(async { async_std::task::spawn(library()).await })?;
    println!("an application on async-std, {answer}");
    Ok(())
}
// ANCHOR_END: async_std
