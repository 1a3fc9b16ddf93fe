//! The machine that was measured.

use std::process::Command;

use serde::Serialize;

/// The machine and the versions.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) virtual_machine: bool,
    pub(crate) memory_gib: f64,
    pub(crate) available_gib: f64,
    pub(crate) kernel: String,
    pub(crate) governor: String,
    pub(crate) rustc: String,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = read("/proc/meminfo");
        let gib = |name: &str| {
            let line = memory.lines().find(|line| line.starts_with(name))?;
            let kib = line.split_whitespace().nth(1)?.parse::<f64>().ok()?;
            Some(kib / 1024.0 / 1024.0)
        };
        let rustc = Command::new("rustc").arg("--version").output();
        Self {
            processor: field("model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
            virtual_machine: field("flags").is_some_and(|flags| flags.contains("hypervisor")),
            memory_gib: gib("MemTotal").unwrap_or(0.0),
            available_gib: gib("MemAvailable").unwrap_or(0.0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .trim()
                .to_owned(),
            rustc: rustc.map_or_else(
                |_| "unknown".to_owned(),
                |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            ),
            versions: versions(),
            load_before: load(),
            load_after: String::new(),
        }
    }

    /// Describes the machine in one line.
    pub(crate) fn line(&self) -> String {
        let virtual_machine = if self.virtual_machine {
            ", virtual"
        } else {
            ""
        };
        let governor = match self.governor.as_str() {
            "" => String::new(),
            governor => format!(", governor {governor}"),
        };
        format!(
            "{}, {} cores{virtual_machine}, {:.0} GiB, Linux {}{governor}; {}; load {} before, {} after",
            self.processor,
            self.cores,
            self.memory_gib,
            self.kernel,
            self.rustc,
            self.load_before,
            self.load_after
        )
    }
}

impl Machine {
    /// Lists the versions in one line.
    pub(crate) fn versions_line(&self) -> String {
        let versions = self.versions.iter();
        let versions = versions.map(|(name, version)| format!("{name} {version}"));
        versions.collect::<Vec<_>>().join(", ")
    }
}

/// The load of one minute.
pub(crate) fn load() -> String {
    let average = read("/proc/loadavg");
    average.split(' ').next().unwrap_or("").to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// Returns the versions in the lock file.
fn versions() -> Vec<(String, String)> {
    let lock = read(
        &crate::places::workspace()
            .join("Cargo.lock")
            .to_string_lossy(),
    );
    let of = |name: &str| {
        let package = lock
            .split("[[package]]")
            .find(|p| p.contains(&format!("\nname = \"{name}\"\n")))?;
        let version = package.split_once("version = \"")?.1.split_once('"')?.0;
        Some((name.to_owned(), version.to_owned()))
    };
    [
        "anyrt",
        "tokio",
        "smol",
        "async-io",
        "async-std",
        "glommio-ng",
    ]
    .into_iter()
    .filter_map(of)
    .collect()
}
