//! The standard streams, on every backend, in a child process that runs this program again.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};

use anyrt::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stderr, stdin, stdout};
use anyrt::runtime::{Backend, Builder};

const ROLE: &str = "ANYRT_STDIO_ROLE";

/// Starts this program as a child with the given role, on `backend`.
fn start(role: &str, backend: Backend) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["child", "--exact", "--nocapture", "--quiet"])
        .env(ROLE, role)
        .env("ANYRT_BACKEND", backend.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Returns the output of the role, without that of the test harness.
fn written(output: &[u8]) -> &[u8] {
    let find = |mark: &[u8]| output.windows(mark.len()).position(|found| found == mark);
    let (start, end) = (find(b"<<").unwrap(), find(b">>").unwrap());
    &output[start + 2..end]
}

#[test]
fn child() -> io::Result<()> {
    let Ok(role) = std::env::var(ROLE) else {
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match role.as_str() {
        "copy" => runtime.block_on(async {
            let mut out = stdout();
            out.write_all(b"<<").await?;
            anyrt::io::copy(&mut stdin(), &mut out).await?;
            out.write_all(b">>").await?;
            out.flush().await
        }),
        "lines" => runtime.block_on(async {
            let mut lines = BufReader::new(stdin()).lines();
            let mut err = stderr();
            while let Some(line) = lines.next_line().await? {
                err.write_all(format!("<<{line}>>\n").as_bytes()).await?;
                err.flush().await?;
            }
            Ok(())
        }),
        "unflushed" => {
            runtime.block_on(async { stdout().write_all(b"<<kept>>\n").await })?;
            drop(runtime);
            Ok(())
        }
        "cancelled" => runtime.block_on(async {
            let mut input = stdin();
            let mut out = stdout();
            let mut buf = [0; 64];
            let mut first = Box::pin(input.read(&mut buf));
            assert!(futures_util::FutureExt::now_or_never(&mut first).is_none());
            drop(first);
            out.write_all(b"ready\n").await?;
            out.flush().await?;
            let read = input.read(&mut buf).await?;
            out.write_all(format!("<<{}>>", String::from_utf8_lossy(&buf[..read])).as_bytes())
                .await?;
            out.flush().await
        }),
        "background" => {
            runtime.spawn(async { stdin().read_u8().await });
            runtime.block_on(anyrt::task::yield_now());
            runtime.shutdown_background();
            io::stdout().write_all(b"<<gone>>")
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn what_is_piped_in_comes_out() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let mut child = start("copy", backend)?;
        // More than one read, and more than the capacity of a pipe.
        let data: Vec<u8> = (0..300_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
        let mut stdin = child.stdin.take().unwrap();
        let sent = data.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&sent));
        let output = child.wait_with_output()?;
        writer.join().unwrap()?;
        assert!(output.status.success(), "{backend}: {output:?}");
        assert!(written(&output.stdout) == data, "{backend}");
    }
    Ok(())
}

#[test]
fn lines_are_answered_one_by_one() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let mut child = start("lines", backend)?;
        let mut stdin = child.stdin.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let mut answers = io::BufRead::lines(io::BufReader::new(stderr));
        for line in ["one", "two"] {
            writeln!(stdin, "{line}")?;
            assert_eq!(answers.next().unwrap()?, format!("<<{line}>>"), "{backend}");
        }
        drop(stdin);
        assert!(child.wait()?.success());
    }
    Ok(())
}

#[test]
fn what_was_written_is_printed_though_the_runtime_ends() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let output = start("unflushed", backend)?.wait_with_output()?;
        assert_eq!(written(&output.stdout), b"kept", "{backend}");
    }
    Ok(())
}

#[test]
fn a_dropped_read_loses_nothing() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let mut child = start("cancelled", backend)?;
        let mut stdout = child.stdout.take().unwrap();
        let mut output = Vec::new();
        while !output.ends_with(b"ready\n") {
            let mut byte = [0];
            stdout.read_exact(&mut byte)?;
            output.extend(byte);
        }
        child.stdin.take().unwrap().write_all(b"late")?;
        stdout.read_to_end(&mut output)?;
        assert_eq!(written(&output), b"late", "{backend}");
        child.wait()?;
    }
    Ok(())
}

#[test]
fn a_runtime_ends_in_the_background_although_nothing_comes() -> io::Result<()> {
    for &backend in Backend::enabled() {
        let mut child = start("background", backend)?;
        let stdin = child.stdin.take();
        let mut output = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        while !output.ends_with(b">>") {
            let mut byte = [0];
            stdout.read_exact(&mut byte)?;
            output.extend(byte);
        }
        drop(stdin);
        child.wait()?;
    }
    Ok(())
}
