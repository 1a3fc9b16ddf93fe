//! Size and build time of a small program per runtime, through anyrt and natively.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use indicatif::ProgressBar;

use super::plan::{PROGRAMS, Row};
use super::{Values, add};
use crate::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A program: what it depends on, and its text.
struct Program {
    contender: &'static str,
    dependency: &'static str,
    main: &'static str,
}

const THROUGH_ANYRT: &str = "#[anyrt::main]\nasync fn main() {\n    println!(\"{}\", anyrt::spawn(async { \"Hello\" }).await.unwrap());\n}\n";

/// `ANYRT` stands for the path of the facade.
const PROGRAMS_OF: [Program; 8] = [
    Program {
        contender: "Tokio",
        dependency: "anyrt = { path = \"ANYRT\", features = [\"tokio\"] }",
        main: THROUGH_ANYRT,
    },
    Program {
        contender: "Tokio, native",
        dependency: "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"macros\", \"net\", \"time\"] }",
        main: "#[tokio::main]\nasync fn main() {\n    println!(\"{}\", tokio::spawn(async { \"Hello\" }).await.unwrap());\n}\n",
    },
    Program {
        contender: "Smol",
        dependency: "anyrt = { path = \"ANYRT\", features = [\"smol\"] }",
        main: THROUGH_ANYRT,
    },
    Program {
        contender: "Smol, native",
        dependency: "smol = \"2\"",
        main: "fn main() {\n    smol::block_on(async { println!(\"{}\", smol::spawn(async { \"Hello\" }).await) });\n}\n",
    },
    Program {
        contender: "async-std",
        dependency: "anyrt = { path = \"ANYRT\", features = [\"async-std\"] }",
        main: THROUGH_ANYRT,
    },
    Program {
        contender: "async-std, native",
        dependency: "async-std = \"1\"",
        main: "use async_std::task;\nfn main() {\n    task::block_on(async { println!(\"{}\", task::spawn(async { \"Hello\" }).await) });\n}\n",
    },
    Program {
        contender: "Glommio",
        dependency: "anyrt = { path = \"ANYRT\", features = [\"glommio\"] }",
        main: THROUGH_ANYRT,
    },
    Program {
        contender: "Glommio, native",
        dependency: "glommio = { package = \"glommio-ng\", version = \"=0.12.0\" }",
        main: "use glommio::{LocalExecutor, spawn_local};\nfn main() {\n    LocalExecutor::default().run(async { println!(\"{}\", spawn_local(async { \"Hello\" }).await) });\n}\n",
    },
];

/// Builds all programs, each from nothing.
pub(crate) fn measure(native: bool, values: &mut Values) -> Result<Vec<Row>> {
    let programs: Vec<&Program> = PROGRAMS_OF
        .iter()
        .filter(|program| native || !program.contender.ends_with("native"))
        .collect();
    let bar = ProgressBar::new_spinner();
    for program in programs {
        bar.set_message(format!("building a program with {}", program.contender));
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        let (size, seconds) = build(program)?;
        add(values, "program-size", program.contender, size / 1000.0);
        add(values, "program-build", program.contender, seconds);
    }
    bar.finish_and_clear();
    let row = |id: &str, title: &str, unit| Row {
        id: id.to_owned(),
        group: PROGRAMS,
        title: title.to_owned(),
        unit,
        higher_is_better: false,
        plotted: true,
    };
    Ok(vec![
        row("program-size", "Size of a hello world", "kB"),
        row("program-build", "Time to build it", "s"),
    ])
}

/// Bytes, and seconds.
fn build(program: &Program) -> Result<(f64, f64)> {
    let name: String = program
        .contender
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let directory = crate::target_directory()?.join("compare").join(&name);
    let facade = crate::workspace().join("crates/anyrt");
    let mut manifest = String::new();
    write!(
        manifest,
        "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{}\n\n\
         [profile.release]\nstrip = true\n\n[workspace]\n",
        program
            .dependency
            .replace("ANYRT", &facade.to_string_lossy())
    )?;
    std::fs::create_dir_all(directory.join("src"))?;
    std::fs::write(directory.join("Cargo.toml"), manifest)?;
    std::fs::write(directory.join("src/main.rs"), program.main)?;
    // The versions of this workspace.
    std::fs::copy(
        crate::workspace().join("Cargo.lock"),
        directory.join("Cargo.lock"),
    )?;
    let target = directory.join("target");
    if target.exists() {
        std::fs::remove_dir_all(&target)?;
    }
    // What is downloaded does not count.
    cargo(&directory, &["fetch", "--quiet"])?;
    let start = Instant::now();
    cargo(
        &directory,
        &[
            "build",
            "--quiet",
            "--release",
            "--offline",
            "--target-dir",
            "target",
        ],
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let size = std::fs::metadata(target.join("release/hello"))?.len();
    Ok((size as f64, seconds))
}

fn cargo(directory: &Path, args: &[&str]) -> Result<()> {
    let status = Command::new(crate::cargo())
        .args(args)
        .current_dir(directory)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(fail(format!(
            "cargo {} failed in {}",
            args.join(" "),
            directory.display()
        )))
    }
}
