//! Signals that the program sends to itself.

use tokio::process::Command;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::Outcome;

pub async fn run() -> Outcome {
    println!("== signals");
    let mut user = signal(SignalKind::user_defined1())?;
    let mut also = signal(SignalKind::user_defined1())?;
    for number in 1..=2 {
        send("USR1").await?;
        println!("{number}: {:?} {:?}", user.recv().await, also.recv().await);
    }
    // Both are registered before the signal: the first poll of `ctrl_c` registers it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut interrupted = std::pin::pin!(ctrl_c());
    tokio::select! {
        biased;
        _ = &mut interrupted => println!("too early"),
        () = std::future::ready(()) => {}
    }
    send("INT").await?;
    println!("{:?} {:?}", interrupt.recv().await, interrupted.await);
    println!("forbidden: {:?}", signal(SignalKind::from_raw(9)).map(drop));
    Ok(())
}

async fn send(name: &str) -> Outcome {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(std::process::id().to_string())
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err("the signal was not sent".into())
    }
}
