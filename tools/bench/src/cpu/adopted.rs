//! Glommio's own timers and files, in an executor of the application and in one that anyrt has
//! adopted.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyrt_glommio::GlommioRuntime;
use glommio::io::BufferedFile;
use glommio::{LocalExecutorBuilder, Placement, timer};
use rustix::time::{ClockId, clock_gettime};

use crate::echo::Result;
use crate::fail::fail;

const TIMERS: u32 = 2_000;
const READS: u32 = 20_000;
const SIZE: usize = 4096;

/// Prints the table: CPU time of the executor's thread per operation, the minimum of all rounds.
pub(super) fn print(rounds: usize) -> Result<()> {
    let path = crate::places::target_directory()?.join(format!("cpu-{}", std::process::id()));
    std::fs::write(&path, [7; SIZE])?;
    let mut least = [[f64::INFINITY; 2]; 2];
    for _ in 0..rounds {
        for (least, adopt) in least.iter_mut().zip([false, true]) {
            let round = measure(&path, adopt)?;
            *least = [least[0].min(round[0]), least[1].min(round[1])];
        }
    }
    std::fs::remove_file(&path)?;
    let [native, adopted] = least;
    println!("| Glommio's own | native, µs | in an adopted executor, µs | |");
    println!("|---|---:|---:|---:|");
    for (name, native, adopted) in [
        ("timer of 50 µs", native[0], adopted[0]),
        ("read of 4 KiB", native[1], adopted[1]),
    ] {
        println!(
            "| {name} | {native:.2} | {adopted:.2} | {:.2} |",
            adopted / native
        );
    }
    Ok(())
}

/// Returns microseconds per timer and per read.
fn measure(path: &Path, adopt: bool) -> Result<[f64; 2]> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
    let executor = executor.map_err(|error| fail(error.to_string()))?;
    let measured: io::Result<[f64; 2]> = executor.run(async {
        let _adopted = adopt.then(GlommioRuntime::adopt_scoped).transpose()?;
        let begin = spent();
        for _ in 0..TIMERS {
            timer::sleep(Duration::from_micros(50)).await;
        }
        let timers = spent() - begin;
        let file = BufferedFile::open(path).await?;
        let begin = spent();
        for _ in 0..READS {
            assert_eq!(file.read_at(0, SIZE).await?.len(), SIZE);
        }
        let reads = spent() - begin;
        file.close().await?;
        Ok([timers / f64::from(TIMERS), reads / f64::from(READS)])
    });
    Ok(measured?)
}

/// Returns the CPU time of this thread so far, in microseconds.
fn spent() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}
