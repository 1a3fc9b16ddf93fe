//! A child process that ends by itself, at its time limit, or with its guard.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fail::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A child process, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    complaint: Option<JoinHandle<String>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let complaint = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // Lines before an error are delivered as well.
                let _ = stderr.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Self {
            child,
            lines,
            complaint,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line that it prints.
    pub(crate) fn line(&mut self, limit: Duration) -> Result<String> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(fail(format!(
                "gave no answer in {} s and was ended",
                limit.as_secs_f64()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                Err(fail(self.last_words(status)))
            }
        }
    }

    /// Returns its error output, if it has ended with an error.
    pub(crate) fn failure(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        (!status.success()).then(|| self.last_words(status))
    }

    fn last_words(&mut self, status: ExitStatus) -> String {
        let complaint = self.complaint.take().and_then(|reader| reader.join().ok());
        let complaint = complaint.unwrap_or_default();
        let lines: Vec<&str> = complaint
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with"))
            .take(3)
            .collect();
        match lines.join(" ") {
            words if words.is_empty() => format!("ended with {status}"),
            words => format!("ended with {status}: {words}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::Process;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_child_gives_its_lines() {
        let mut child = shell("echo one; echo two; exec sleep 1000");
        assert_eq!(child.line(LONG).unwrap(), "one");
        assert_eq!(child.line(LONG).unwrap(), "two");
    }

    #[test]
    fn a_child_that_hangs_is_told_and_ends_with_its_guard() {
        let mut child = shell("exec sleep 1000");
        let error = child.line(Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
        let process = format!("/proc/{}", child.id());
        drop(child);
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn a_child_that_fails_is_told_with_its_last_words() {
        let mut child = shell("echo 'no such device' >&2; exit 3");
        let error = child.line(LONG).unwrap_err().to_string();
        assert!(
            error.contains("3") && error.contains("no such device"),
            "{error}"
        );
    }
}
