//! The command on test workspaces, with a registry in a directory, so no network is needed.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A workspace, with a registry of a few packages and a patched tree.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    /// Creates an application and a library, on a framework that depends on Tokio.
    fn new() -> Self {
        let fixture = Self::bare();
        fixture.put("app/Cargo.toml", APP);
        fixture.put("app/src/main.rs", "fn main() {}\n");
        fixture.put(
            "app/member/Cargo.toml",
            "[package]\nname = \"member\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nframework = \"0.3\"\n",
        );
        fixture.put("app/member/src/lib.rs", "");
        fixture
    }

    fn bare() -> Self {
        let fixture = Self {
            dir: TempDir::new().unwrap(),
        };
        let tokio = "[features]\nfull = [\"net\"]\nnet = []\nrt = []\n";
        fixture.publish("tokio", "1.38.2", tokio);
        fixture.publish("tokio", "0.2.25", tokio);
        fixture.publish(
            "framework",
            "0.3.1",
            "[dependencies]\ntokio = { version = \"1.20\", features = [\"net\"] }\n",
        );
        fixture.publish("pinned", "0.1.0", "[dependencies]\ntokio = \"~1.38\"\n");
        fixture.publish("ancient", "0.1.0", "[dependencies]\ntokio = \"0.2\"\n");
        fixture.put(
            "app/.cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\ndirectory = \"../registry\"\n[net]\noffline = true\n",
        );
        // The part of the output of `scripts/patched-tree` that cargo reads for a lock file.
        fixture.put("tree/.anyrt-patched-tree", "");
        fixture.put(
            "tree/Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n",
        );
        fixture.put(
            "tree/.cargo/config.toml",
            &fixture.read("app/.cargo/config.toml"),
        );
        fixture.put(
            "tree/crates/anyrt/Cargo.toml",
            &package("anyrt", "0.1.0", ""),
        );
        fixture.put("tree/crates/anyrt/src/lib.rs", "");
        fixture.put(
            "tree/crates/tokio/Cargo.toml",
            &package(
                "tokio",
                "1.999.0",
                &format!("{tokio}smol = []\nglommio = []\n"),
            ),
        );
        fixture.put("tree/crates/tokio/src/lib.rs", "");
        // An ordinary checkout.
        fixture.put(
            "anyrt/crates/anyrt/Cargo.toml",
            &package(
                "anyrt",
                "0.1.0",
                &format!("{tokio}smol = []\nglommio = []\n"),
            ),
        );
        fixture.put("anyrt/crates/anyrt/src/lib.rs", "");
        fixture
    }

    fn publish(&self, name: &str, version: &str, rest: &str) {
        let dir = format!("registry/{name}-{version}");
        self.put(&format!("{dir}/Cargo.toml"), &package(name, version, rest));
        self.put(&format!("{dir}/src/lib.rs"), "");
        self.put(&format!("{dir}/.cargo-checksum.json"), "{\"files\":{}}");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
            .args(arguments)
            .current_dir(self.path("app"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Commits everything, so that the command need not ask.
    fn commit(&self) {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "all"]);
    }

    fn lock(&self) {
        self.cargo(&["generate-lockfile"]);
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(self.path("app"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn anyrt(&self, line: &str) -> Told {
        let output = Command::new(env!("CARGO_BIN_EXE_cargo-anyrt"))
            .arg("anyrt")
            .args(line.split_whitespace())
            .current_dir(self.path("app"))
            .env("CARGO", env!("CARGO"))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told {
            code: output.status.code(),
            text: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

/// The output and exit status of the command.
struct Told {
    code: Option<i32>,
    text: String,
}

impl Told {
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text.contains(part), "no `{part}` in:\n{}", self.text);
        }
        self
    }
}

fn package(name: &str, version: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n\n{rest}")
}

const APP: &str = r#"# The application.
[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
framework = "0.3"
# The runtime.
tokio = { version = "1.20", features = ["full"] } # all of it

[workspace]
members = ["member"]
"#;

const PORT: &str = "port --backend smol --patch --from ../tree";

#[test]
fn a_port_with_the_patch_replaces_tokio_in_the_whole_tree() {
    let fixture = Fixture::new();
    fixture.lock();
    fixture.commit();
    fixture.anyrt(PORT).ends(0).says(&[
        "+ [dependencies] tokio = { version = \"1.20\", features = [\"full\", \"smol\"] }",
        "+ [patch.crates-io] tokio =",
        "member has no line for tokio",
        "cargo anyrt undo",
    ]);
    let manifest = fixture.read("app/Cargo.toml");
    assert!(
        manifest.contains("# The application.") && manifest.contains("# all of it"),
        "{manifest}"
    );
    let lock = fixture.read("app/Cargo.lock");
    assert!(
        lock.contains("1.999.0") && !lock.contains("1.38.2"),
        "{lock}"
    );
    fixture.cargo(&["check", "--quiet"]);
}

#[test]
fn undo_restores_manifests_and_lock_file_to_the_byte() {
    let fixture = Fixture::new();
    fixture.lock();
    fixture.commit();
    let before = (
        fixture.read("app/Cargo.toml"),
        fixture.read("app/Cargo.lock"),
    );
    fixture.anyrt(PORT).ends(0);
    fixture
        .anyrt("port --backend glommio --patch --from ../tree --yes")
        .ends(0);
    assert!(fixture.read("app/Cargo.toml").contains("\"glommio\""));
    fixture.anyrt("undo").ends(0);
    assert_eq!(
        before,
        (
            fixture.read("app/Cargo.toml"),
            fixture.read("app/Cargo.lock")
        )
    );
    fixture
        .anyrt("undo")
        .ends(2)
        .says(&["nothing was ported here"]);
}

#[test]
fn edits_between_two_ports_survive_undo() {
    let fixture = Fixture::new();
    fixture.anyrt(&format!("{PORT} --yes")).ends(0);
    let edited = fixture
        .read("app/Cargo.toml")
        .replace("framework = \"0.3\"", "framework = \"0.3.1\"");
    fixture.put("app/Cargo.toml", &edited);
    fixture
        .anyrt("port --backend glommio --patch --from ../tree --yes")
        .ends(0);
    fixture.anyrt("undo --yes").ends(0);
    assert_eq!(
        fixture.read("app/Cargo.toml"),
        APP.replace("framework = \"0.3\"", "framework = \"0.3.1\"")
    );
}

#[test]
fn a_port_without_the_patch_changes_the_line_alone() {
    let fixture = Fixture::new();
    fixture.commit();
    fixture
        .anyrt("port --backend smol --from ../anyrt")
        .ends(0)
        .says(&["package = \"anyrt\"", "still get Tokio's own"]);
    let lock = fixture.read("app/Cargo.lock");
    assert!(
        lock.contains("name = \"anyrt\"") && lock.contains("1.38.2"),
        "{lock}"
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let fixture = Fixture::new();
    fixture
        .anyrt(&format!("{PORT} --dry-run"))
        .ends(0)
        .says(&["+ [patch", "Nothing was written"]);
    assert_eq!(fixture.read("app/Cargo.toml"), APP);
    assert!(!fixture.path("app/.cargo-anyrt.json").exists());
}

#[test]
fn a_dirty_tree_is_not_overwritten_without_a_word() {
    let fixture = Fixture::new();
    fixture
        .anyrt(PORT)
        .ends(2)
        .says(&["not in a git repository", "--yes"]);
    fixture.commit();
    fixture.put("app/src/main.rs", "fn main() { }\n");
    fixture
        .anyrt(PORT)
        .ends(2)
        .says(&["src/main.rs is not committed", "commit first", "--yes"]);
    assert_eq!(fixture.read("app/Cargo.toml"), APP);
    fixture.anyrt(&format!("{PORT} --yes")).ends(0);
}

#[test]
fn a_source_tree_cannot_be_the_patch() {
    let fixture = Fixture::new();
    let line = "port --backend smol --patch --from ../anyrt --yes";
    fixture
        .anyrt(line)
        .ends(2)
        .says(&["depend on itself", "scripts/patched-tree DIR"]);
    let line = "port --backend smol --patch --from ../nowhere --yes";
    fixture
        .anyrt(line)
        .ends(2)
        .says(&["name a checkout of anyrt"]);
    fixture
        .anyrt("port --backend smol --from ../tree --yes")
        .ends(2)
        .says(&["add --patch"]);
}

#[test]
fn a_patch_that_lacks_a_feature_does_not_apply_and_nothing_is_changed() {
    let fixture = Fixture::new();
    fixture.lock();
    let lock = fixture.read("app/Cargo.lock");
    // Without the feature `net`, which the framework requires.
    fixture.put(
        "tree/crates/tokio/Cargo.toml",
        &package("tokio", "1.999.0", "[features]\nfull = []\nsmol = []\n"),
    );
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(2)
        .says(&["The patch did not apply", "cargo anyrt check"]);
    assert_eq!(fixture.read("app/Cargo.toml"), APP);
    assert_eq!(fixture.read("app/Cargo.lock"), lock);
}

/// Cargo keeps locked versions, and then omits the patch rather than update one of its
/// dependencies.
#[test]
fn a_lock_file_that_is_too_old_for_anyrt_is_updated_as_far_as_it_must() {
    let fixture = Fixture::new();
    fixture.publish("bytes", "1.4.0", "");
    fixture.publish("other", "1.0.0", "");
    let manifest = APP.replace(
        "framework = \"0.3\"",
        "framework = \"0.3\"\nbytes = \"1\"\nother = \"1\"",
    );
    fixture.put("app/Cargo.toml", &manifest);
    fixture.lock();
    fixture.publish("bytes", "1.10.0", "");
    fixture.publish("other", "1.1.0", "");
    let tokio = fixture.read("tree/crates/tokio/Cargo.toml");
    fixture.put(
        "tree/crates/tokio/Cargo.toml",
        &(tokio + "[dependencies]\nbytes = \"1.10\"\n"),
    );
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(0)
        .says(&["these were updated: bytes@1.4.0"]);
    let lock = fixture.read("app/Cargo.lock");
    assert!(
        lock.contains("1.10.0") && lock.contains("1.999.0"),
        "{lock}"
    );
    assert!(
        !lock.contains("1.1.0"),
        "more was updated than had to be: {lock}"
    );
}

#[test]
fn a_requirement_that_excludes_the_patch_is_named() {
    let fixture = Fixture::new();
    fixture.put(
        "app/Cargo.toml",
        &APP.replace(
            "framework = \"0.3\"",
            "framework = \"0.3\"\npinned = \"0.1\"",
        ),
    );
    fixture.anyrt("check").ends(1).says(&[
        "In the way: pinned 0.1.0 asks for tokio `~1.38`",
        "cargo update -p pinned",
    ]);
    // Ported by hand, with such a line in the application itself, cargo cannot resolve it.
    let by_hand = APP.replace(
        "\"1.20\", features = [\"full\"",
        "\"~1.38\", features = [\"full\", \"smol\"",
    );
    let patch = "\n[patch.crates-io]\ntokio = { path = \"../tree/crates/tokio\" }\n";
    fixture.put("app/Cargo.toml", &(by_hand + patch));
    fixture.anyrt("check").ends(1).says(&[
        "In the way: cargo cannot resolve the dependencies",
        "excludes the patch",
        "relaxes it",
    ]);
    // The application's own line is relaxed.
    fixture.put("app/Cargo.toml", &APP.replace("\"1.20\"", "\"~1.38\""));
    fixture
        .anyrt("check")
        .ends(0)
        .says(&["excludes the patch", "relaxes it"]);
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(0)
        .says(&["relaxed to `1.38`"]);
}

#[test]
fn two_versions_of_tokio_are_told() {
    let fixture = Fixture::new();
    fixture.put(
        "app/Cargo.toml",
        &APP.replace(
            "framework = \"0.3\"",
            "framework = \"0.3\"\nancient = \"0.1\"",
        ),
    );
    fixture.anyrt("check").ends(0).says(&[
        "ancient 0.1.0 asks for tokio `^0.2`",
        "Several versions of Tokio",
    ]);
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(0)
        .says(&["ancient 0.1.0 on Tokio 0.2.25, another major version"]);
}

#[test]
fn resolver_1_is_raised_and_told() {
    let fixture = Fixture::new();
    fixture.put(
        "app/Cargo.toml",
        &APP.replace("members", "resolver = \"1\"\nmembers"),
    );
    fixture.anyrt("check").ends(0).says(&["resolver 1"]);
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(0)
        .says(&["would enable every backend"]);
    assert!(fixture.read("app/Cargo.toml").contains("resolver = \"2\""));
    fixture.anyrt("undo --yes").ends(0);
    assert!(fixture.read("app/Cargo.toml").contains("resolver = \"1\""));
}

#[test]
fn a_workspace_without_the_line_is_told_to_add_it() {
    let fixture = Fixture::new();
    let without = APP.replace(
        "tokio = { version = \"1.20\", features = [\"full\"] } # all of it\n",
        "",
    );
    fixture.put("app/Cargo.toml", &without);
    fixture.anyrt(&format!("{PORT} --yes")).ends(2).says(&[
        "no member of the workspace depends on tokio 1",
        "features = [\"smol\"]",
    ]);
}

#[test]
fn a_backend_that_does_not_exist_is_told_the_others() {
    let fixture = Fixture::new();
    fixture
        .anyrt("port --backend monoio")
        .ends(2)
        .says(&["tokio, smol, async-std, glommio"]);
    fixture.anyrt("port --patch").ends(2).says(&["--backend"]);
}

#[test]
fn a_tokio_from_elsewhere_is_named() {
    let fixture = Fixture::new();
    let manifest = APP.replace("version = \"1.20\"", "path = \"../registry/tokio-1.38.2\"");
    fixture.put("app/Cargo.toml", &manifest);
    fixture
        .anyrt(&format!("{PORT} --yes"))
        .ends(2)
        .says(&["remove `path` and name a version"]);
}

#[test]
fn items_that_are_absent_are_found_in_the_sources() {
    let fixture = Fixture::new();
    fixture.put(
        "app/src/main.rs",
        "use tokio::task::no_such_thing;\nfn main() {\n    tokio::spawn(async {});\n}\n",
    );
    fixture.anyrt("check").ends(1).says(&[
        "src/main.rs:1: `tokio::task::no_such_thing` is absent",
        "framework 0.3.1",
    ]);
}

#[test]
fn the_line_of_the_workspace_serves_every_member() {
    let fixture = Fixture::bare();
    fixture.put(
        "app/Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"one\"]\n\n[workspace.dependencies]\ntokio = \"1\" # shared\n",
    );
    fixture.put(
        "app/one/Cargo.toml",
        &package("one", "0.1.0", "[dependencies]\ntokio.workspace = true\n"),
    );
    fixture.put("app/one/src/lib.rs", "");
    fixture.anyrt(&format!("{PORT} --yes")).ends(0);
    let root = fixture.read("app/Cargo.toml");
    assert!(
        root.contains("tokio = { version = \"1\", features = [\"smol\"] } # shared"),
        "{root}"
    );
    let tree = fixture.cargo(&["tree", "-p", "one", "-e", "features"]);
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("tokio feature \"smol\""), "{tree}");
}

/// The journal must not make the git tree dirty for the next command.
#[test]
fn the_journal_does_not_count_as_dirt() {
    let fixture = Fixture::new();
    fixture.commit();
    fixture.anyrt(PORT).ends(0);
    assert!(Path::new(&fixture.path("app/.cargo-anyrt.json")).exists());
    fixture.git(&["add", "Cargo.toml", "Cargo.lock"]);
    fixture.git(&["commit", "--quiet", "--message", "port"]);
    fixture
        .anyrt("port --backend glommio --patch --from ../tree")
        .ends(0);
}
