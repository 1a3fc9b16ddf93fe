//! A program that was just written can be started. A separate program, because a child that another
//! test starts in the meantime would also keep the file open for writing.
#![cfg(all(unix, feature = "fs", feature = "process"))]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use anyrt::fs::File;
use anyrt::io::AsyncWriteExt;
use anyrt::process::Command;
use anyrt::runtime::{Backend, Builder};

#[test]
fn a_program_that_was_just_written_can_be_started() {
    let program = std::fs::read("/bin/true").expect("a program");
    for &backend in Backend::enabled() {
        let runtime = Builder::new_multi_thread()
            .backend(backend)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let directory = tempfile::tempdir().expect("a directory");
            for round in 0..20 {
                let path = directory.path().join(round.to_string());
                let mut file = File::create(&path).await.expect("a file");
                file.write_all(&program).await.expect("room");
                file.flush().await.expect("room");
                let executable = Permissions::from_mode(0o755);
                file.set_permissions(executable).await.expect("it is ours");
                drop(file.into_std().await);
                let status = Command::new(&path).status().await;
                assert!(status.expect("it starts").success(), "{backend}");
            }
        });
    }
}
