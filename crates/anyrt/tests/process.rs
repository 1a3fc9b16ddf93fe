//! Child processes, on every backend.
#![cfg(all(unix, feature = "process"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use anyrt::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use anyrt::process::{ChildStdout, Command};
use anyrt::runtime::{Backend, Builder};
use futures_util::FutureExt;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command
}

/// Runs until it is killed.
fn endless() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).unwrap()
}

/// Waits until the process is gone, not even a zombie.
async fn gone(id: u32) {
    while test_kill_process(pid(id)).is_ok() {
        anyrt::task::yield_now().await;
    }
}

#[anyrt::test]
async fn output_is_all_that_was_written() -> io::Result<()> {
    let output = sh("echo out; echo err >&2; exit 3").output().await?;
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
    assert_eq!(output.status.code(), Some(3));
    Ok(())
}

#[anyrt::test]
async fn status_tells_the_end() -> io::Result<()> {
    assert!(Command::new("true").status().await?.success());
    assert_eq!(sh("exit 7").status().await?.code(), Some(7));
    let error = Command::new("/no/such/program").status().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    Ok(())
}

#[anyrt::test]
async fn a_child_is_talked_to_by_pipes() -> io::Result<()> {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for word in ["one", "two"] {
        stdin.write_all(format!("{word}\n").as_bytes()).await?;
        assert_eq!(lines.next_line().await?.as_deref(), Some(word));
    }
    drop(stdin);
    assert_eq!(lines.next_line().await?, None);
    assert!(child.wait().await?.success());
    Ok(())
}

#[anyrt::test]
async fn waiting_closes_what_the_child_reads() -> io::Result<()> {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    assert!(child.wait().await?.success());
    assert!(child.stdin.is_none());
    Ok(())
}

#[anyrt::test]
async fn more_output_than_a_pipe_holds_is_read_while_waiting() -> io::Result<()> {
    let output = sh("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
        .output()
        .await?;
    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (300_000, 300_000)
    );
    Ok(())
}

#[anyrt::test]
async fn the_end_is_told_again_and_again_and_the_id_is_gone() -> io::Result<()> {
    let mut child = endless().spawn()?;
    let id = child.id().unwrap();
    assert!(child.try_wait()?.is_none());
    assert!(child.wait().now_or_never().is_none());
    child.start_kill()?;
    assert_eq!(child.wait().await?.signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(child.wait().await?.signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(
        child.try_wait()?.unwrap().signal(),
        Some(Signal::KILL.as_raw())
    );
    assert_eq!(child.id(), None);
    child.start_kill()?;
    assert!(test_kill_process(pid(id)).is_err(), "no zombie");
    Ok(())
}

#[anyrt::test]
async fn killing_waits_for_the_end() -> io::Result<()> {
    let mut child = endless().spawn()?;
    child.kill().await?;
    assert!(child.try_wait()?.is_some());
    Ok(())
}

#[anyrt::test]
async fn a_dropped_wait_loses_nothing() -> io::Result<()> {
    let mut child = sh("read line; exit 5").stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    for _ in 0..10 {
        assert!(child.wait().now_or_never().is_none());
    }
    drop(stdin);
    assert_eq!(child.wait().await?.code(), Some(5));
    Ok(())
}

#[anyrt::test]
async fn a_dropped_child_goes_on_and_leaves_no_zombie() -> io::Result<()> {
    let mut child = sh("echo ready; read line; exit 0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let id = child.id().unwrap();
    let (stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    stdout.read_exact(&mut [0; 6]).await?;
    drop(child);
    assert!(test_kill_process(pid(id)).is_ok(), "it goes on");
    drop(stdin);
    gone(id).await;
    Ok(())
}

#[anyrt::test]
async fn many_dropped_children_leave_no_zombies() -> io::Result<()> {
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(Command::new("true").spawn()?.id().unwrap());
    }
    for id in ids {
        gone(id).await;
    }
    Ok(())
}

#[anyrt::test]
async fn a_child_is_killed_with_its_handle_if_asked() -> io::Result<()> {
    let child = endless().kill_on_drop(true).spawn()?;
    let id = child.id().unwrap();
    drop(child);
    gone(id).await;

    let mut command = endless();
    assert!(!command.get_kill_on_drop());
    command.kill_on_drop(true);
    let status = command.status();
    drop(status);
    Ok(())
}

#[anyrt::test]
async fn a_child_that_ends_by_a_signal_is_noticed() -> io::Result<()> {
    let mut child = endless().spawn()?;
    kill_process(pid(child.id().unwrap()), Signal::TERM)?;
    assert_eq!(child.wait().await?.signal(), Some(Signal::TERM.as_raw()));
    Ok(())
}

#[anyrt::test]
async fn the_output_of_one_child_is_the_input_of_another() -> io::Result<()> {
    let mut echo = Command::new("echo")
        .arg("hello")
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout: ChildStdout = echo.stdout.take().unwrap();
    let cat = Command::new("tr")
        .args(["a-z", "A-Z"])
        .stdin(Stdio::try_from(stdout)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let (status, output) = anyrt::try_join!(echo.wait(), cat.wait_with_output())?;
    assert!(status.success());
    assert_eq!(output.stdout, b"HELLO\n");
    Ok(())
}

#[anyrt::test]
async fn a_command_is_what_it_was_told_to_be() -> io::Result<()> {
    let output = Command::new("sh")
        .arg0("named")
        .args(["-c", "echo $0 $WORD ${HOME-none} $PWD"])
        .env_clear()
        .env("WORD", "one")
        .current_dir("/")
        .process_group(0)
        .output()
        .await?;
    assert_eq!(output.stdout, b"named one none /\n");

    let mut command = Command::from(std::process::Command::new("echo"));
    command.as_std_mut().arg("x");
    assert_eq!(command.as_std().get_program(), "echo");
    assert_eq!(command.into_std().output()?.stdout, b"x\n");
    Ok(())
}

#[anyrt::test]
async fn what_runs_before_exec_runs_in_the_child() -> io::Result<()> {
    let mut command = sh("echo between >&3");
    let (mut reader, writer) = io::pipe()?;
    let copy = OwnedFd::from(writer.try_clone()?);
    // SAFETY: it only calls `dup2`, which takes no lock; the third descriptor is the child's own.
    unsafe {
        command.pre_exec(move || {
            let mut third = ManuallyDrop::new(OwnedFd::from_raw_fd(3));
            rustix::io::dup2(&copy, &mut third).map_err(Into::into)
        });
    }
    assert!(command.status().await?.success());
    drop((command, writer));
    let mut said = String::new();
    io::Read::read_to_string(&mut reader, &mut said)?;
    assert_eq!(said, "between\n");

    let mut command = Command::new("true");
    // SAFETY: it only creates an error.
    unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(7))) };
    let error = command.status().await.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(7), "{error}");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_children_are_waited_for_at_once() -> io::Result<()> {
    let tasks: Vec<_> = (0..20)
        .map(|code| {
            anyrt::spawn(async move {
                let status = sh(&format!("exit {code}")).status().await?;
                assert_eq!(status.code(), Some(code));
                io::Result::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap()?;
    }
    Ok(())
}

#[test]
fn a_child_outlives_the_runtime_that_started_it() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let runtime = || {
            Builder::new_current_thread()
                .backend(backend)
                .enable_all()
                .build()
        };
        let mut child =
            runtime()?.block_on(async { sh("read line; exit 4").stdin(Stdio::piped()).spawn() })?;
        assert_eq!(
            runtime()?.block_on(child.wait())?.code(),
            Some(4),
            "{backend}"
        );
    }
    Ok(())
}

#[test]
fn without_a_runtime_nothing_is_started() {
    let panic = std::panic::catch_unwind(|| Command::new("true").spawn().map(drop)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("anyrt"), "{message}");
}

#[anyrt::test]
async fn futures_are_send_and_types_as_tokios() -> io::Result<()> {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_plain<T: Send + Sync + Unpin>() {}
    is_plain::<Command>();
    is_plain::<anyrt::process::Child>();
    is_plain::<anyrt::process::ChildStdin>();
    is_plain::<ChildStdout>();
    is_send(Command::new("true").status()).await?;
    is_send(Command::new("true").output()).await?;
    let mut child = Command::new("true").spawn()?;
    is_send(child.wait()).await?;
    is_send(child.wait_with_output()).await.map(drop)
}
