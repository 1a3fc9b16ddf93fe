//! Commands: their output, input and exit status.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::Outcome;

pub async fn run() -> Outcome {
    println!("== processes");
    let output = Command::new("sh")
        .args(["-c", "echo out; echo err >&2; exit 3"])
        .output()
        .await?;
    println!("{:?} {:?}", output.status, output.status.code());
    println!(
        "{:?} {:?}",
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?
    );

    let mut sort = Command::new("sort")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = sort.stdin.take().ok_or("no input")?;
    for word in ["pear", "apple", "fig"] {
        input.write_all(format!("{word}\n").as_bytes()).await?;
    }
    drop(input);
    let mut lines = BufReader::new(sort.stdout.take().ok_or("no output")?).lines();
    while let Some(line) = lines.next_line().await? {
        println!("sorted {line}");
    }
    println!("{}, again {}", sort.wait().await?, sort.wait().await?);

    let mut sleeper = Command::new("sleep")
        .arg("3600")
        .kill_on_drop(true)
        .spawn()?;
    println!("running {}", sleeper.try_wait()?.is_none());
    sleeper.start_kill()?;
    println!("{}, id {:?}", sleeper.wait().await?, sleeper.id());
    let missing = Command::new("/no/such/program").spawn().map(drop);
    println!("{missing:?}");
    println!("{}", Command::new("true").status().await?);
    Ok(())
}
