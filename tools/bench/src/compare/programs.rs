//! Size and build time of two small programs per runtime, through anyrt and natively.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyrt_bench::{Backend, Via};
use indicatif::ProgressBar;

use super::job::{Contender, Floor};
use super::measure::{Failure, Figures};
use super::number::number;
use super::plan::{PROGRAMS, Row};
use crate::fail::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The goal: the largest ratio of a program's size to the native one.
const SIZE_GOAL: f64 = 1.03;

/// Returns the limit of that ratio with fat LTO, and the reason why it exceeds the goal.
const fn size_budget(backend: Backend) -> (f64, &'static str) {
    match backend {
        Backend::Tokio => (1.07, OPTIONS),
        Backend::Smol => (1.14, OWN_TASKS),
        Backend::AsyncStd => (1.33, OWN_TASKS),
        Backend::Glommio => (1.26, OWN_TASKS),
    }
}

const OPTIONS: &str = "a runtime is built from options that are known when the program runs, `ANYRT_BACKEND` among \
                       them, with errors that name the option and the backend; local tasks work in every `block_on`; \
                       a task can be spawned from threads of every runtime";
const OWN_TASKS: &str = "as on Tokio; and abort, the end of a task by a panic, its registry and the shutdown are anyrt's, on \
                         Glommio the tasks and their queue as well; the budget of `sync` is Tokio's";

/// The ratio of CPU time for a build; printed but not checked, as all times are.
const BUILD_GOAL: f64 = 1.3;

/// The programs of one contender.
struct Package {
    contender: Contender,
    dependencies: &'static str,
    hello: &'static str,
    echo: &'static str,
}

impl Package {
    fn of(contender: Contender) -> Self {
        macro_rules! programs {
            ($name:literal) => {
                (
                    include_str!(concat!("programs/", $name, "_hello.rs")),
                    include_str!(concat!("programs/", $name, "_echo.rs")),
                )
            };
        }
        let (dependencies, (hello, echo)) = match contender {
            Contender::Runtime(backend, Via::Native) => match backend {
                Backend::Tokio => (
                    "tokio = { version = \"1\", features = [\"io-util\", \"macros\", \"net\", \"rt-multi-thread\", \"time\"] }",
                    programs!("tokio"),
                ),
                Backend::Smol => ("smol = \"2\"", programs!("smol")),
                Backend::AsyncStd => ("async-std = \"1\"", programs!("async_std")),
                Backend::Glommio => (
                    "glommio = { package = \"glommio-ng\", version = \"=0.12.0\" }\n\
                     futures-util = { version = \"0.3\", default-features = false, features = [\"io\"] }",
                    programs!("glommio"),
                ),
            },
            Contender::Runtime(..) => (
                "anyrt = { path = \"FACADE\", features = [\"BACKEND\"] }",
                programs!("anyrt"),
            ),
            Contender::Floor(_) => ("", programs!("std")),
        };
        Self {
            contender,
            dependencies,
            hello,
            echo,
        }
    }

    /// Returns the manifest with the versions of this workspace.
    fn write(&self) -> Result<PathBuf> {
        let name = self.contender.name().to_lowercase().replace(", ", "-");
        let directory = crate::places::target_directory()?
            .join("compare")
            .join(name);
        let source = directory.join("src/bin");
        std::fs::create_dir_all(&source)?;
        std::fs::write(source.join("hello.rs"), self.hello)?;
        std::fs::write(source.join("echo.rs"), self.echo)?;
        let backend = match self.contender {
            Contender::Runtime(backend, _) => backend.name(),
            Contender::Floor(_) => "",
        };
        let facade = crate::places::workspace().join("crates/anyrt");
        let dependencies = self
            .dependencies
            .replace("FACADE", &facade.to_string_lossy())
            .replace("BACKEND", backend);
        let manifest = format!(
            "[package]\nname = \"programs\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}\n\n[profile.release]\nstrip = true\n\n\
             [profile.small]\ninherits = \"release\"\nlto = \"fat\"\ncodegen-units = 1\n\n[workspace]\n"
        );
        std::fs::write(directory.join("Cargo.toml"), manifest)?;
        let lock = crate::places::workspace().join("Cargo.lock");
        std::fs::copy(lock, directory.join("Cargo.lock"))?;
        Ok(directory)
    }

    /// The figures of each row.
    fn build(&self) -> Result<Vec<(&'static str, f64)>> {
        let directory = self.write()?;
        let target = directory.join("target");
        if target.exists() {
            std::fs::remove_dir_all(&target)?;
        }
        // Downloads do not count.
        cargo(&directory, &["fetch", "--quiet"])?;
        let build = |profile: &str, program: &str| {
            let args = ["build", "--quiet", "--offline", "--target-dir", "target"];
            cargo(
                &directory,
                &[&args[..], &["--profile", profile, "--bin", program]].concat(),
            )
        };
        let size = |profile: &str, program: &str| -> Result<f64> {
            let file = target.join(profile).join(program);
            Ok(std::fs::metadata(file)?.len() as f64 / 1000.0)
        };
        let (before, start) = (cpu_of_children()?, Instant::now());
        build("release", "hello")?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = (cpu_of_children()? - before).as_secs_f64();
        build("release", "echo")?;
        build("small", "hello")?;
        build("small", "echo")?;
        let figures = vec![
            ("program-hello", size("release", "hello")?),
            ("program-echo", size("release", "echo")?),
            ("program-hello-small", size("small", "hello")?),
            ("program-echo-small", size("small", "echo")?),
            ("program-build", seconds),
            ("program-build-cpu", cpu),
        ];
        std::fs::remove_dir_all(&target)?;
        Ok(figures)
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let row = |id: &str, title: &str, unit| Row::new(id, PROGRAMS, title, unit);
    vec![
        row("program-hello", "Size of a hello world, release", "kB"),
        row("program-echo", "Size of an echo server, release", "kB"),
        row(
            "program-hello-small",
            "Size of a hello world, release with fat LTO",
            "kB",
        ),
        row(
            "program-echo-small",
            "Size of an echo server, release with fat LTO",
            "kB",
        ),
        row("program-build", "Build the hello world from nothing", "s"),
        row(
            "program-build-cpu",
            "Build the hello world from nothing",
            "s of CPU",
        ),
    ]
}

/// Builds all programs, each from scratch.
pub(crate) fn measure(native: bool, figures: &mut Figures) {
    measure_those(contenders(native), figures);
}

fn measure_those(contenders: Vec<Contender>, figures: &mut Figures) {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(250));
    for contender in contenders {
        let name = contender.name();
        bar.set_message(format!("building small programs with {name}"));
        match Package::of(contender).build() {
            Ok(measured) => {
                for (row, value) in measured {
                    figures.add(row, &name, value);
                }
            }
            Err(error) => {
                let failure = Failure {
                    contender: name,
                    row: PROGRAMS.to_owned(),
                    error: error.to_string(),
                };
                bar.println(failure.to_string());
                figures.failures.push(failure);
            }
        }
    }
    bar.finish_and_clear();
}

fn contenders(native: bool) -> Vec<Contender> {
    let mut contenders = Vec::new();
    for &backend in Backend::ALL {
        contenders.push(Contender::Runtime(backend, Via::Facade));
        if native {
            contenders.push(Contender::Runtime(backend, Via::Native));
        }
    }
    contenders.push(Contender::Floor(Floor::Std));
    contenders
}

/// Fails if a program exceeds its budget; prints the other measurements. Only for the runtimes
/// whose names contain the word, if there is one.
pub(crate) fn check(only: Option<&str>) -> Result<()> {
    let chosen = |contender: &Contender| {
        matches!(contender, Contender::Runtime(..))
            && only.is_none_or(|word| contender.name().to_lowercase().contains(word))
    };
    let contenders: Vec<Contender> = contenders(true).into_iter().filter(chosen).collect();
    if contenders.is_empty() {
        return Err(fail("no runtime has such a name"));
    }
    let mut figures = Figures::default();
    measure_those(contenders, &mut figures);
    if let Some(failure) = figures.failures.first() {
        return Err(fail(failure.to_string()));
    }
    let (mut above, mut reasons) = (Vec::new(), Vec::new());
    for row in rows() {
        println!("{}, {}", row.title, row.unit);
        for &backend in Backend::ALL {
            let value = |via| {
                let name = Contender::Runtime(backend, via).name();
                let of_row = figures.of(&row.id).iter();
                let mut values = of_row.filter(|(one, _)| *one == name);
                values
                    .next()
                    .and_then(|(_, values)| values.first().copied())
            };
            let (Some(ours), Some(native)) = (value(Via::Facade), value(Via::Native)) else {
                continue;
            };
            let line = format!(
                "{:<10} {:>8} native, {:>8} through anyrt: {:+.1} %",
                Contender::Runtime(backend, Via::Facade).name(),
                number(native),
                number(ours),
                (ours / native - 1.0) * 100.0
            );
            let (budget, why) = size_budget(backend);
            let held = row.id.ends_with("-small");
            let mark = match row.id.as_str() {
                _ if held && ours > native * budget => {
                    let allowed = (budget - 1.0) * 100.0;
                    above.push(format!("{}: {line}, allowed {allowed:+.1} %", row.title));
                    ", above its budget".to_owned()
                }
                _ if held && ours > native * SIZE_GOAL => {
                    let note = reasons.iter().position(|reason| *reason == why);
                    let note = note.unwrap_or_else(|| {
                        reasons.push(why);
                        reasons.len() - 1
                    });
                    format!(" [{}]", note + 1)
                }
                "program-build-cpu" if ours > native * BUILD_GOAL => {
                    format!(", above {BUILD_GOAL} times")
                }
                _ => String::new(),
            };
            println!("  {line}{mark}");
        }
    }
    for (index, reason) in reasons.iter().enumerate() {
        println!("[{}] {reason}", index + 1);
    }
    if above.is_empty() {
        return Ok(());
    }
    Err(fail(above.join("\n")))
}

/// Returns the CPU time of all descendants of this process that have ended.
fn cpu_of_children() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may have spaces; the 14th and 15th field after it are the
    // children's.
    let ticks = stat.rsplit_once(')').map(|(_, rest)| {
        let fields = rest.split_whitespace().skip(13).take(2);
        fields
            .filter_map(|field| field.parse::<u64>().ok())
            .sum::<u64>()
    });
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(
        ticks.unwrap_or(0) as f64 / per_second as f64,
    ))
}

fn cargo(directory: &Path, args: &[&str]) -> Result<()> {
    let output = Command::new(crate::places::cargo())
        .args(args)
        .current_dir(directory)
        // Without the flags and the directory of this build.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let error = complaint.lines().find(|line| line.contains("error"));
    Err(fail(format!(
        "cargo {} in {}: {}",
        args.join(" "),
        directory.display(),
        error.unwrap_or("failed")
    )))
}
