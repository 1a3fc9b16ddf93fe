use crate::library::{Result, library};

// ANCHOR: glommio
use anyrt::task::spawn;
use anyrt_glommio::GlommioRuntime;

/// One line in each executor makes anyrt run in it.
pub fn main() -> Result<()> {
    let answer = glommio::LocalExecutor::default().run(async {
        let _runtime = GlommioRuntime::adopt_scoped()?;
        // In a task of anyrt: only those may wait for other threads, as for a blocking job.
        spawn(library()).await?
    })?;
    println!("an application on Glommio, {answer}");
    Ok(())
}
// ANCHOR_END: glommio
