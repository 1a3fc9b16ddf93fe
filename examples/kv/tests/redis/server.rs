//! A separate server for each test, and a client that sends raw bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::runtime::Backend;

pub struct Server {
    process: Child,
    stdout: BufReader<std::process::ChildStdout>,
    log: Arc<Mutex<String>>,
    logger: Option<JoinHandle<()>>,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(backend: Backend) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_anyrt-kv"))
            .arg("127.0.0.1:0")
            .env("ANYRT_BACKEND", backend.name())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let logger = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut line = String::new();
                while stderr.read_line(&mut line).is_ok_and(|length| length > 0) {
                    log.lock().unwrap().push_str(&line);
                    line.clear();
                }
            }
        });
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").map(str::parse);
        let Some(Ok(address)) = address else {
            let _ = process.wait();
            let _ = logger.join();
            panic!("it did not start: {line}{}", log.lock().unwrap());
        };
        Self {
            process,
            stdout,
            log,
            logger: Some(logger),
            address,
        }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// Returns the log of the server so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends Ctrl-C.
    pub fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended. Returns its output since the start.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut output = String::new();
        self.stdout.read_to_string(&mut output).unwrap();
        (self.process.wait().unwrap(), output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(logger) = self.logger.take() {
            let _ = logger.join();
        }
        if std::thread::panicking() {
            eprint!("{}", self.log());
        }
    }
}

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Checks the next bytes.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let mut got = vec![0; expected.len()];
        if let Err(error) = self.stream.read_exact(&mut got) {
            panic!(
                "{error}, expected {expected:?}, then {}",
                got.escape_ascii()
            );
        }
        assert_eq!(String::from_utf8_lossy(&got), expected);
    }

    pub fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\r\n").as_bytes());
        self.line()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Returns the bytes until the server closes.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // It may close with a reset if it has not read everything.
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}
