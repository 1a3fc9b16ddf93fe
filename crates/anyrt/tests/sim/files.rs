//! Files of simulated nodes, as programs use them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{ErrorKind, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt::fs::{self, File, OpenOptions};
use anyrt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use anyrt::sim::{Sim, current};
use anyrt::time::sleep;

/// A counter that is kept in a file, and must never go back.
struct Counter {
    syncs_file: bool,
    syncs_directory: bool,
}

impl Counter {
    async fn load(&self) -> std::io::Result<u64> {
        match fs::read_to_string("/data/counter").await {
            Ok(text) => Ok(text.parse().unwrap_or(0)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn store(&self, value: u64) -> std::io::Result<()> {
        fs::create_dir_all("/data").await?;
        let mut file = File::create("/data/new").await?;
        file.write_all(value.to_string().as_bytes()).await?;
        file.flush().await?;
        if self.syncs_file {
            file.sync_all().await?;
        }
        fs::rename("/data/new", "/data/counter").await?;
        if self.syncs_directory {
            File::open("/data").await?.sync_all().await?;
            File::open("/").await?.sync_all().await?;
        }
        Ok(())
    }
}

/// Runs a host that counts while its power fails; tells whether the counter never went back.
async fn counts(syncs_file: bool, syncs_directory: bool) -> bool {
    let promised = Arc::new(Mutex::new(0));
    let went_back = Arc::new(Mutex::new(false));
    let (there, back) = (Arc::clone(&promised), Arc::clone(&went_back));
    let host = current().host("counter", move || {
        let (promised, went_back) = (Arc::clone(&there), Arc::clone(&back));
        async move {
            let counter = Counter {
                syncs_file,
                syncs_directory,
            };
            let mut value = counter.load().await.unwrap();
            if value < *promised.lock().unwrap() {
                *went_back.lock().unwrap() = true;
            }
            loop {
                value += 1;
                counter.store(value).await.unwrap();
                *promised.lock().unwrap() = value;
                sleep(Duration::from_millis(1)).await;
            }
        }
    });
    for _ in 0..10 {
        sleep(Duration::from_micros(current().random() % 50_000)).await;
        host.power_off();
        host.restart();
    }
    assert!(*promised.lock().unwrap() > 0);
    let went_back = *went_back.lock().unwrap();
    !went_back
}

#[anyrt::test(sim, seeds = 200, check = 2)]
async fn a_counter_that_is_synced_never_goes_back() {
    assert!(counts(true, true).await);
}

/// Under how many of 50 seeds it goes back.
fn goes_back(syncs_file: bool, syncs_directory: bool) -> usize {
    let goes_back = |seed: &u64| {
        let sim = Sim::new(*seed);
        let right = Arc::new(Mutex::new(true));
        let there = Arc::clone(&right);
        sim.client("test", async move {
            *there.lock().unwrap() = counts(syncs_file, syncs_directory).await;
        });
        sim.run().unwrap();
        let right = *right.lock().unwrap();
        !right
    };
    (0..50).filter(goes_back).count()
}

#[test]
fn a_missing_sync_of_the_file_or_of_the_directory_is_found() {
    assert_ne!(goes_back(false, true), 0, "the file");
    assert_ne!(goes_back(true, false), 0, "the directory");
}

#[anyrt::test(sim, seeds = 20, check = 2)]
async fn files_work_as_on_any_other_backend() -> std::io::Result<()> {
    let temporary = std::env::temp_dir();
    fs::create_dir_all(temporary.join("a/b")).await?;
    fs::write(temporary.join("a/b/f"), "hello").await?;
    fs::hard_link(temporary.join("a/b/f"), "/g").await?;
    fs::symlink("/g", "/data").await?;
    assert_eq!(fs::read_link("/data").await?, Path::new("/g"));
    assert_eq!(fs::canonicalize("/../data").await?, Path::new("/g"));
    assert_eq!(fs::read_to_string("data").await?, "hello");
    assert_eq!(fs::copy("/g", "/h").await?, 5);
    assert!(fs::try_exists("/h").await? && !fs::try_exists("/i").await?);

    let mut file = OpenOptions::new()
        .append(true)
        .read(true)
        .open("/h")
        .await?;
    file.write_all(b", world").await?;
    file.seek(SeekFrom::Start(2)).await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "llo, world");
    let other = file.try_clone().await?;
    other.set_len(3).await?;
    assert_eq!(file.metadata().await?.len(), 3);
    let std = other.into_std().await;
    assert_eq!(File::from_std(std).metadata().await?.len(), 3);
    let permissions = fs::metadata("/h").await?.permissions();
    fs::set_permissions("/h", permissions).await?;

    let mut entries = fs::read_dir("/").await?;
    let mut names = BTreeSet::new();
    while let Some(entry) = entries.next_entry().await? {
        assert_eq!(entry.path(), Path::new("/").join(entry.file_name()));
        if entry.file_name() == "data" {
            assert!(entry.file_type().await?.is_symlink());
            assert!(entry.metadata().await?.is_symlink());
        }
        names.insert(entry.file_name());
    }
    let expected = ["data", "g", "h"].map(OsString::from);
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );

    fs::remove_dir_all(temporary.join("a")).await?;
    let gone = fs::metadata(temporary.join("a/b/f")).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(fs::read("/g").await?, b"hello");
    fs::DirBuilder::new()
        .recursive(true)
        .create("/x/y/z")
        .await?;
    fs::remove_dir("/x/y/z").await?;
    fs::remove_file("/data").await?;
    assert_eq!(
        fs::remove_dir("/x").await.unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    Ok(())
}

#[anyrt::test(sim, seeds = 5)]
async fn the_test_puts_files_on_the_disk_of_a_node() {
    let node = current().host("db", || async {
        let size = fs::read_to_string("/etc/db.conf").await.unwrap();
        fs::write("/out", size.repeat(2)).await.unwrap();
        std::future::pending::<()>().await;
    });
    node.disk().write("/etc/db.conf", "13").unwrap();
    while !node.disk().read("/out").is_ok_and(|out| !out.is_empty()) {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(node.disk().read("/out").unwrap(), b"1313");
    assert!(!fs::try_exists("/out").await.unwrap());
}
