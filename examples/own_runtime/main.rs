//! A library on anyrt inside applications that start Tokio, Smol, async-std or Glommio by
//! themselves.
//!
//! ```text
//! cargo run --example own_runtime
//! ```

#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "glommio"
    )),
    expect(dead_code, reason = "none of these runtimes is in the build")
)]
mod library;
#[cfg(feature = "async-std")]
mod on_async_std;
#[cfg(feature = "glommio")]
mod on_glommio;
#[cfg(feature = "smol")]
mod on_smol;
#[cfg(feature = "smol")]
mod on_smol_global;
#[cfg(feature = "tokio")]
mod on_tokio;

use library::Result;

fn main() -> Result<()> {
    #[cfg(feature = "tokio")]
    on_tokio::main()?;
    #[cfg(feature = "async-std")]
    on_async_std::main()?;
    #[cfg(feature = "glommio")]
    match anyrt_glommio::is_available() {
        Ok(()) => on_glommio::main()?,
        Err(why) => println!("no application on Glommio: {why}"),
    }
    // Before the next one, since a default applies to the whole process.
    #[cfg(feature = "smol")]
    on_smol_global::main()?;
    #[cfg(feature = "smol")]
    on_smol::main()?;
    Ok(())
}
