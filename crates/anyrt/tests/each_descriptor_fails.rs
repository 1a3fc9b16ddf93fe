//! A process that runs out of descriptors: the n-th one fails, for each n that a small program
//! needs, on every backend and in both flavours. The limit applies to the whole process, so this
//! program starts itself again for each backend.
#![cfg(all(
    target_os = "linux",
    feature = "fs",
    feature = "process",
    feature = "signal"
))]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a limit for the system, beside all runtimes, and a word of it when it is over"
)]

use std::any::Any;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Display;
use std::fs::read_dir;
use std::io;
use std::mem::take;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, Command as Process, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use anyrt::process::Command;
use anyrt::runtime::{Backend, Builder, Runtime};
use anyrt::signal::unix::{SignalKind, signal};
use anyrt::task::spawn_blocking;
use anyrt::time::sleep;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The environment variable with the backend and the flavour for a child process.
const PART: &str = "ANYRT_STARVED";
/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// More than any program here needs.
const ENOUGH: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Build,
    Sleep,
    Tcp,
    Child,
    File,
    Signal,
    Udp,
    Unix,
}

const STEPS: [Step; 8] = [
    Step::Build,
    Step::Sleep,
    Step::Tcp,
    Step::Child,
    Step::File,
    Step::Signal,
    Step::Udp,
    Step::Unix,
];

/// What a program does after a descriptor was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Tries again in the same runtime, with descriptors available.
    GoesOn,
    /// Ends its runtime while none is available.
    Ends,
}

/// The steps of the program. Each descriptor stays open until the program ends.
type Held = Vec<Box<dyn Any>>;

/// The current activity and its start, for the message of the watchdog.
static NOW: Mutex<Option<(String, Instant)>> = Mutex::new(None);
/// Held by each test, because the descriptors of the process are counted.
static ALONE: Mutex<()> = Mutex::new(());
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn open() -> BTreeSet<usize> {
    let entries: Vec<usize> = read_dir("/proc/self/fd")
        .expect("procfs")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("a number").parse();
            name.expect("a number")
        })
        .collect();
    // The descriptor of the directory itself is closed by now.
    let is_open = |number: &usize| {
        rustix::fs::readlink(format!("/proc/self/fd/{number}"), Vec::new()).is_ok()
    };
    entries.into_iter().filter(is_open).collect()
}

/// Leaves `count` descriptors available until it is dropped.
struct Starved {
    former: Rlimit,
}

impl Starved {
    fn to(count: usize) -> Self {
        let former = getrlimit(Resource::Nofile);
        let open = open();
        let mut free = (0..).filter(|number| !open.contains(number));
        let first_refused = free.nth(count).expect("endless");
        let current = Some(u64::try_from(first_refused).expect("small"));
        setrlimit(Resource::Nofile, Rlimit { current, ..former }).expect("a lower limit");
        Self { former }
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.former).expect("the former limit");
    }
}

async fn a_byte_each_way(one: &mut TcpStream, two: &mut TcpStream) -> io::Result<()> {
    one.write_all(&[1]).await?;
    assert_eq!(two.read_u8().await?, 1);
    two.write_all(&[2]).await?;
    assert_eq!(one.read_u8().await?, 2);
    Ok(())
}

async fn take_step(step: Step, held: &mut Held) -> io::Result<()> {
    match step {
        Step::Build => {}
        Step::Sleep => sleep(Duration::from_millis(1)).await,
        Step::Tcp => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let (mut one, (mut two, _)) =
                anyrt::try_join!(TcpStream::connect(address), listener.accept())?;
            a_byte_each_way(&mut one, &mut two).await?;
            held.push(Box::new((listener, one, two)));
        }
        Step::Child => {
            let mut child = Command::new("echo")
                .arg("x")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?;
            let mut text = String::new();
            let mut stdout = child.stdout.take().expect("a pipe");
            stdout.read_to_string(&mut text).await?;
            assert_eq!(text, "x\n");
            assert!(child.wait().await?.success());
            held.push(Box::new(stdout));
        }
        Step::File => {
            let mut file = anyrt::fs::File::open("Cargo.toml").await?;
            let mut text = String::new();
            file.read_to_string(&mut text).await?;
            assert!(text.contains("anyrt"));
            held.push(Box::new(file));
        }
        Step::Signal => {
            let mut usr1 = signal(SignalKind::user_defined1())?;
            rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::USR1,
            )?;
            usr1.recv().await.expect("a signal");
            held.push(Box::new(usr1));
        }
        Step::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            socket.send_to(&[7], socket.local_addr()?).await?;
            let mut byte = [0];
            assert_eq!(socket.recv_from(&mut byte).await?.0, 1);
            held.push(Box::new(socket));
        }
        Step::Unix => {
            let (mut one, mut two) = UnixStream::pair()?;
            one.write_all(&[5]).await?;
            assert_eq!(two.read_u8().await?, 5);
            held.push(Box::new((one, two)));
        }
    }
    Ok(())
}

/// Runs the whole program, with `count` more descriptors from the step `first` on. Returns the step
/// that failed.
fn program(
    build: &dyn Fn() -> io::Result<Runtime>,
    first: Step,
    count: usize,
    then: Then,
) -> Option<Step> {
    let mut starved = (first == Step::Build).then(|| Starved::to(count));
    let mut failed = None;
    let mut refused = |step, error: io::Error, starved: &mut Option<Starved>| {
        let is_starved = starved.is_some();
        *starved = None;
        assert!(is_starved, "{step:?} failed with descriptors: {error}");
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::MFILE.raw_os_error()),
            "{step:?} does not name the cause: {error:?}"
        );
        failed = Some(step);
    };
    tell(format!(
        "{first:?} with {count} descriptors, {then:?}: Build"
    ));
    let runtime = match build() {
        Ok(runtime) => runtime,
        Err(error) => {
            refused(Step::Build, error, &mut starved);
            if then == Then::Ends {
                return failed;
            }
            build().expect("there are descriptors again")
        }
    };
    let mut held = Held::new();
    for step in STEPS {
        if step == first && step != Step::Build {
            starved = Some(Starved::to(count));
        }
        tell(format!(
            "{first:?} with {count} descriptors, {then:?}: {step:?}"
        ));
        while let Err(error) = runtime.block_on(take_step(step, &mut held)) {
            if then == Then::Ends && starved.is_some() {
                held.clear();
                drop(runtime);
                refused(step, error, &mut starved);
                return failed;
            }
            refused(step, error, &mut starved);
        }
    }
    tell(format!(
        "{first:?} with {count} descriptors, {then:?}: the end"
    ));
    drop(held);
    drop(runtime);
    failed
}

fn tell(what: String) {
    *NOW.lock().expect("no panic") = Some((what, Instant::now()));
}

fn watch() {
    loop {
        thread::sleep(Duration::from_millis(100));
        if let Some((what, since)) = &*NOW.lock().expect("no panic")
            && since.elapsed() > LIMIT
        {
            eprintln!("hangs: {what}");
            process::exit(3);
        }
    }
}

/// Waits until no more descriptors are open than before.
fn until_closed(before: usize, what: impl Display) {
    // The system closes the rings and their files with a delay.
    let start = Instant::now();
    while open().len() > before {
        assert!(start.elapsed() < LIMIT, "{what}, and leaves descriptors");
        thread::yield_now();
    }
}

/// Runs the program with each number of descriptors from 0 up to what it needs from the step
/// `first` on. Checks for leaked descriptors if `before` is given.
fn sweep(build: &dyn Fn() -> io::Result<Runtime>, first: Step, then: Then, before: Option<usize>) {
    for count in 0.. {
        assert!(count < ENOUGH, "{first:?} always lacks a descriptor");
        let failed = program(build, first, count, then);
        let panics = take(&mut *PANICS.lock().expect("no panic"));
        assert!(
            panics.is_empty(),
            "{first:?} with {count} descriptors, {then:?}, failed at {failed:?}: {panics:#?}"
        );
        if let Some(before) = before {
            until_closed(
                before,
                format_args!("{first:?} with {count} descriptors, {then:?}, failed at {failed:?}"),
            );
        }
        if failed.is_none() {
            return;
        }
    }
}

fn part(backend: Backend, is_multi_thread: bool) {
    std::panic::set_hook(Box::new(|panic| {
        let name = thread::current().name().map(str::to_owned);
        let mut panics = PANICS.lock().unwrap_or_else(|lock| lock.into_inner());
        panics.push(format!("{name:?}: {panic}"));
        eprintln!("{name:?}: {panic}");
    }));
    thread::spawn(watch);
    let build = move || {
        let mut builder = match is_multi_thread {
            true => Builder::new_multi_thread(),
            false => Builder::new_current_thread(),
        };
        builder
            .backend(backend)
            .worker_threads(2)
            .enable_all()
            .build()
    };
    // Descriptors that are opened once per process may fail as well, and stay open.
    sweep(&build, Step::Build, Then::Ends, None);
    let before = open().len();
    for first in STEPS {
        for then in [Then::GoesOn, Then::Ends] {
            sweep(&build, first, then, Some(before));
        }
    }
}

#[test]
fn a_missing_descriptor_is_an_error_and_the_program_goes_on_when_there_is_one() {
    if let Ok(name) = env::var(PART) {
        let (backend, flavour) = name.split_once('/').expect("a flavour");
        return part(backend.parse().expect("a backend"), flavour == "multi");
    }
    let _alone = ALONE.lock();
    let mut parts = Vec::new();
    for backend in Backend::enabled() {
        for flavour in ["current", "multi"] {
            let name = format!("{backend}/{flavour}");
            let child = Process::new(env::current_exe().expect("this program"))
                .args(["--exact", "--nocapture"])
                .arg("a_missing_descriptor_is_an_error_and_the_program_goes_on_when_there_is_one")
                .env(PART, &name)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("this program");
            parts.push((name, child));
        }
    }
    let mut failed = String::new();
    for (name, child) in parts {
        let output = child.wait_with_output().expect("a status");
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            failed += &format!("{name}: {}\n{told}\n", output.status);
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// Larger than any address space.
const TOO_LARGE: usize = 1 << 48;

#[test]
fn a_thread_that_cannot_be_started_is_an_error_of_build_and_a_job_runs_or_panics_without_one() {
    let _alone = ALONE.lock();
    for &backend in Backend::enabled() {
        let builders = || {
            [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
                builder.backend(backend).worker_threads(2).enable_all();
                builder
            })
        };
        // Includes the descriptors that a thread keeps for its next runtime.
        for mut builder in builders() {
            drop(builder.build().expect("a runtime"));
        }
        let before = open().len();
        let [mut alone, mut builder] = builders();
        builder.thread_stack_size(TOO_LARGE);
        let error = builder.build().expect_err("no such stack");
        let causes = [Errno::AGAIN, Errno::NOMEM].map(|errno| Some(errno.raw_os_error()));
        assert!(
            causes.contains(&error.raw_os_error()),
            "{backend}: {error:?}"
        );
        builder.thread_stack_size(1024 * 1024);
        let runtime = builder.build().expect("there are threads of that size");
        assert_eq!(
            runtime
                .block_on(runtime.spawn(async { 7 }))
                .expect("a task"),
            7
        );
        drop(runtime);
        until_closed(before, backend);

        alone.thread_stack_size(TOO_LARGE);
        let runtime = alone.build().expect("it has no thread of its own");
        let job = || runtime.block_on(async { spawn_blocking(|| 7).await });
        match catch_unwind(AssertUnwindSafe(job)) {
            Ok(result) => assert_eq!(result.expect("it ran on this thread"), 7),
            Err(payload) => {
                let text = payload.downcast::<String>().expect("a message");
                assert!(
                    backend.name() == "tokio" && text.contains("thread"),
                    "{backend}: {text}"
                );
            }
        }
        assert_eq!(
            runtime
                .block_on(runtime.spawn(async { 7 }))
                .expect("a task"),
            7
        );
        drop(runtime);
        // After the panic Tokio's queue keeps the job, which keeps the runtime.
        if backend.name() != "tokio" {
            until_closed(before, backend);
        }
    }
}
