//! Files: what is where, what is durable, and what fails.

use std::io::{self, SeekFrom};
use std::path::PathBuf;

use anyrt_sim::fs::{File, Files, from_std};
use anyrt_sim::{DiskFaults, Node, Sim, SimRuntime, Unsynced};
use futures_util::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::watchdog::tests;

pub(crate) fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

pub(crate) fn files() -> Files {
    here().files()
}

pub(crate) fn p(path: &str) -> PathBuf {
    PathBuf::from(path)
}

/// Opens a file with options such as `rw`, `w`, `c` for create, `n` for new, `t` for truncate, `a` for append.
pub(crate) async fn open(path: &str, flags: &str) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    for flag in flags.chars() {
        match flag {
            'r' => options.read(true),
            'w' => options.write(true),
            'c' => options.create(true),
            'n' => options.create_new(true),
            't' => options.truncate(true),
            'a' => options.append(true),
            _ => panic!("no such flag: {flag}"),
        };
    }
    let std = files().open(p(path), options).await?;
    Ok(from_std(std, Some(here())))
}

pub(crate) async fn write(path: &str, contents: &str) -> io::Result<()> {
    files().write(p(path), contents.into()).await
}

pub(crate) async fn read(path: &str) -> io::Result<String> {
    files().read_to_string(p(path)).await
}

pub(crate) async fn sync(path: &str) -> io::Result<()> {
    open(path, "r").await?.sync_all().await
}

/// A host with nothing to do, whose program is run from outside.
pub(crate) fn idle(sim: &Sim, name: &str) -> Node {
    sim.host(name, std::future::pending::<()>)
}

pub(crate) fn losing(unsynced: Unsynced) -> DiskFaults {
    let mut faults = DiskFaults::default();
    faults.unsynced = unsynced;
    faults
}

/// Runs a future on a node until it is ready.
pub(crate) fn on<T: Send + 'static>(
    sim: &Sim,
    node: &Node,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    use anyrt_core::Spawner;
    use anyrt_core::runtime::Owner;
    let task = node.runtime().spawn(future);
    sim.block_on(task).unwrap()
}

tests! {
    fn a_file_has_what_was_written_and_each_node_its_own() {
        let sim = Sim::new(1);
        let (a, b) = (idle(&sim, "a"), idle(&sim, "b"));
        let at_a = on(&sim, &a, async {
            files().create_dir_all(p("/data/x")).await.unwrap();
            let mut file = open("data/x/f", "rwn").await.unwrap();
            file.write_all(b"hello, world").await.unwrap();
            file.seek(SeekFrom::Start(7)).await.unwrap();
            let mut rest = String::new();
            file.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "world");
            assert_eq!(file.metadata().await.unwrap().len(), 12);
            file.set_len(5).await.unwrap();
            drop(file);
            assert_eq!(files().metadata(p("/data/x/f")).await.unwrap().len(), 5);
            files().copy(p("/data/x/f"), p("/g")).await.unwrap();
            files().rename(p("/g"), p("/data/g")).await.unwrap();
            files().remove_file(p("/data/x/f")).await.unwrap();
            assert_eq!(read("/data/x/f").await.unwrap_err().kind(), io::ErrorKind::NotFound);
            let again = open("/data/g", "wn").await.unwrap_err();
            assert_eq!(again.raw_os_error(), Some(rustix::io::Errno::EXIST.raw_os_error()));
            read("/data/g").await.unwrap()
        });
        assert_eq!(at_a, "hello");
        assert_eq!(a.disk().read("/data/g").unwrap(), b"hello");
        let at_b = on(&sim, &b, async { read("/data/g").await });
        assert_eq!(at_b.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    fn a_crash_keeps_what_was_written_and_a_power_failure_what_was_synced() {
        for seed in 0..20 {
            let sim = Sim::new(seed);
            let node = idle(&sim, "a");
            node.set_disk_faults(losing(Unsynced::Lost));
            on(&sim, &node, async {
                let mut file = open("/f", "wct").await.unwrap();
                file.write_all(b"synced").await.unwrap();
                file.sync_all().await.unwrap();
                sync("/").await.unwrap();
                file.write_all(b" and not").await.unwrap();
                file.flush().await.unwrap();
                write("/g", "no entry").await.unwrap();
                sync("/g").await.unwrap();
            });
            node.crash();
            node.restart();
            assert_eq!(node.disk().read("/f").unwrap(), b"synced and not");
            assert_eq!(node.disk().read("/g").unwrap(), b"no entry");
            node.power_off();
            node.restart();
            let (f, g) = on(&sim, &node, async { (read("/f").await, read("/g").await) });
            assert_eq!(f.unwrap(), "synced");
            assert_eq!(g.unwrap_err().kind(), io::ErrorKind::NotFound);
            node.wipe();
            assert!(!node.disk().exists("/f").unwrap());
        }
    }
    fn the_order_of_a_directory_depends_on_the_seed_and_not_on_the_system() {
        // The file systems of Linux list by the time of creation, or by a hash with a secret.
        let listed = |seed: u64, names: [&str; 6]| {
            let sim = Sim::new(seed);
            let node = idle(&sim, "a");
            for name in names {
                node.disk().write(name, name).unwrap();
            }
            on(&sim, &node, async {
                let entries = files().read_dir(p("/")).await.unwrap();
                entries.iter().map(std::fs::DirEntry::file_name).collect::<Vec<_>>()
            })
        };
        let names = ["/a", "/b", "/c", "/d", "/e", "/f"];
        let mut reversed = names;
        reversed.reverse();
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let order = listed(seed, names);
            assert_eq!(order, listed(seed, reversed), "seed {seed}");
            orders.insert(order);
        }
        assert!(orders.len() > 10, "only {} orders", orders.len());
    }
}
