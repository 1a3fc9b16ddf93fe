//! Disks that fail, fill up and hang, and what is the seed's.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::{Spawner, Timer};
use anyrt_sim::fs::File;
use anyrt_sim::{Chaos, DiskFaults, FaultId, Latency, Node, Sim, Trouble, Unsynced};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use rustix::io::Errno;

use crate::files::{files, here, idle, losing, on, open, p, read, sync, write};
use crate::watchdog::tests;

#[track_caller]
fn assert_errno<T>(result: io::Result<T>, errno: Errno) {
    let Err(error) = result else {
        panic!("it succeeds");
    };
    assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()), "{error}");
    assert_eq!(error.kind(), io::Error::from(errno).kind());
}

fn set(node: &Node, change: impl FnOnce(&mut DiskFaults)) {
    let mut faults = DiskFaults::default();
    change(&mut faults);
    node.set_disk_faults(faults);
}

/// A program that uses its disk a lot. Returns what it has seen, and its errors.
async fn busy() -> (Vec<u8>, Vec<i32>) {
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    let mut note = |result: io::Result<()>| {
        errors.extend(result.err().and_then(|error| error.raw_os_error()));
    };
    for round in 0..10 {
        let path = format!("/{round}");
        note(write(&path, &path.repeat(300)).await);
        note(sync(&path).await);
        note(sync("/").await);
        if let Ok(mut file) = open(&path, "r").await {
            let mut buffer = [0; 600];
            match file.read(&mut buffer).await {
                Ok(count) => seen.extend_from_slice(&buffer[..count]),
                Err(error) => note(Err(error)),
            }
        }
        match files().read_dir(p("/")).await {
            Ok(entries) => {
                for entry in entries {
                    seen.extend(entry.file_name().as_encoded_bytes());
                }
            }
            Err(error) => note(Err(error)),
        }
    }
    (seen, errors)
}

/// All kinds of trouble at once.
fn bad() -> DiskFaults {
    let mut faults = DiskFaults::default();
    faults.read_error = 0.1;
    faults.write_error = 0.1;
    faults.sync_error = 0.1;
    faults.short_reads = 0.5;
    faults.stalls = 0.1;
    faults
}

type Seen = (u64, Vec<u8>, Vec<i32>, Vec<FaultId>);

fn busy_under(seed: u64, only: Option<Vec<FaultId>>) -> Seen {
    let mut builder = Sim::builder().seed(seed);
    if let Some(only) = only {
        builder = builder.only_faults(only);
    }
    let sim = builder.build().unwrap();
    let node = idle(&sim, "a");
    sim.set_disk_faults(bad());
    let (seen, errors) = on(&sim, &node, busy());
    let faults = sim.faults().iter().map(anyrt_sim::Fault::id).collect();
    (sim.hash(), seen, errors, faults)
}

/// Runs until that much virtual time has passed.
fn pass(sim: &Sim, time: Duration) {
    let rt = sim.handle().clone();
    sim.block_on(async move { rt.sleep(time).await });
}

tests! {
    fn reads_and_changes_fail_with_eio() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        node.disk().write("/f", "hello").unwrap();
        set(&node, |faults| faults.read_error = 1.0);
        on(&sim, &node, async {
            assert_errno(read("/f").await, Errno::IO);
            assert_errno(files().read_dir(p("/")).await, Errno::IO);
            let mut file = open("/f", "rw").await.unwrap();
            assert_errno(file.read(&mut [0; 9]).await, Errno::IO);
            file.write_all(b"J").await.unwrap();
            file.flush().await.unwrap();
        });
        set(&node, |faults| faults.write_error = 1.0);
        on(&sim, &node, async {
            assert_eq!(read("/f").await.unwrap(), "Jello");
            assert_errno(write("/f", "").await, Errno::IO);
            assert_errno(files().remove_file(p("/f")).await, Errno::IO);
            assert_errno(files().rename(p("/f"), p("/g")).await, Errno::IO);
            assert_errno(files().create_dir(p("/d")).await, Errno::IO);
            let mut file = open("/f", "a").await.unwrap();
            file.write_all(b"!").await.unwrap();
            assert_errno(file.flush().await, Errno::IO);
            assert_errno(file.set_len(0).await, Errno::IO);
        });
        set(&node, |_| {});
        assert_eq!(on(&sim, &node, read("/f")).unwrap(), "Jello");
    }

    fn a_full_disk_takes_what_there_is_room_for() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        set(&node, |faults| faults.capacity = Some(100));
        on(&sim, &node, async {
            write("/f", &"x".repeat(60)).await.unwrap();
            let mut file = open("/g", "wc").await.unwrap();
            file.write_all(&[b'y'; 50]).await.unwrap();
            assert_errno(file.flush().await, Errno::NOSPC);
            assert_eq!(read("/g").await.unwrap(), "y".repeat(40));
            assert_errno(file.set_len(41).await, Errno::NOSPC);
            assert_errno(write("/h", "z").await, Errno::NOSPC);
            // Existing bytes can be changed, and removed ones free space.
            write("/f", &"z".repeat(60)).await.unwrap();
            files().remove_file(p("/f")).await.unwrap();
            write("/h", "z").await.unwrap();
        });
        assert_eq!(node.disk().used().unwrap(), 41);
    }

    fn after_a_failing_sync_the_next_one_does_not_write_the_pages() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..40 {
            let sim = Sim::new(seed);
            let node = idle(&sim, "a");
            node.disk().write("/f", "old").unwrap();
            node.set_disk_faults(losing(Unsynced::Lost));
            let set = |sync_error| {
                let mut faults = losing(Unsynced::Lost);
                faults.sync_error = sync_error;
                node.set_disk_faults(faults);
            };
            set(1.0);
            on(&sim, &node, async {
                let mut file = open("/f", "w").await.unwrap();
                file.write_all(b"new").await.unwrap();
                file.flush().await.unwrap();
                assert_errno(file.sync_all().await, Errno::IO);
            });
            set(0.0);
            // It says that all is well, and what is in the cache is right.
            on(&sim, &node, async { sync("/f").await.unwrap() });
            assert_eq!(node.disk().read("/f").unwrap(), b"new");
            node.power_off();
            node.restart();
            let left = on(&sim, &node, read("/f")).unwrap();
            outcomes.insert(left.clone());
            // Writing it again is safe.
            set(1.0);
            on(&sim, &node, async {
                write("/f", "all").await.unwrap();
                assert_errno(sync("/f").await, Errno::IO);
            });
            set(0.0);
            on(&sim, &node, async {
                write("/f", "all").await.unwrap();
                sync("/f").await.unwrap();
            });
            node.power_off();
            assert_eq!(node.disk().read("/f").unwrap(), b"all");
        }
        let expected = ["new", "old"].map(String::from);
        assert_eq!(outcomes, BTreeSet::from(expected));
    }

    fn a_sync_covers_what_was_done_before_it_was_called() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        node.disk().write("/f", "").unwrap();
        let mut faults = losing(Unsynced::Lost);
        faults.sync_latency = Latency::Fixed(Duration::from_secs(1));
        node.set_disk_faults(faults);
        on(&sim, &node, async {
            let mut file = open("/f", "a").await.unwrap();
            file.write_all(b"before").await.unwrap();
            file.flush().await.unwrap();
            let syncs = here().spawn(async { sync("/f").await.unwrap() });
            here().sleep(Duration::from_millis(500)).await;
            file.write_all(b", meanwhile").await.unwrap();
            file.flush().await.unwrap();
            write("/g", "").await.unwrap();
            syncs.await.unwrap();
        });
        assert_eq!(node.disk().read("/f").unwrap(), b"before, meanwhile");
        node.power_off();
        assert_eq!(node.disk().read("/f").unwrap(), b"before");
        assert!(!node.disk().exists("/g").unwrap());
    }

    fn a_write_with_o_dsync_is_durable() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        node.disk().write("/f", "").unwrap();
        node.set_disk_faults(losing(Unsynced::Lost));
        on(&sim, &node, async {
            let mut options = std::fs::OpenOptions::new();
            let flags = rustix::fs::OFlags::DSYNC.bits().cast_signed();
            std::os::unix::fs::OpenOptionsExt::custom_flags(options.write(true), flags);
            let std = files().open(p("/f"), options).await.unwrap();
            let mut file = anyrt_sim::fs::from_std(std, Some(here()));
            file.write_all(b"durable").await.unwrap();
            file.flush().await.unwrap();
        });
        node.power_off();
        assert_eq!(node.disk().read("/f").unwrap(), b"durable");
    }

    fn an_operation_that_hangs_takes_seconds() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        set(&node, |faults| faults.stalls = 1.0);
        on(&sim, &node, async { files().create_dir(p("/d")).await.unwrap() });
        assert!(sim.handle().elapsed() >= Duration::from_secs(1));
        assert_eq!(sim.fault_count(), 1);
        set(&node, |_| {});
        let before = sim.handle().elapsed();
        on(&sim, &node, async { files().create_dir(p("/e")).await.unwrap() });
        assert!(sim.handle().elapsed() - before < Duration::from_secs(1));
    }

    fn short_reads_give_all_in_the_end() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        let text: String = (0..5_000).map(|n| n.to_string()).collect();
        node.disk().write("/f", &text).unwrap();
        set(&node, |faults| faults.short_reads = 1.0);
        let all = text.clone();
        on(&sim, &node, async move {
            let mut file = open("/f", "r").await.unwrap();
            let mut first = vec![0; all.len()];
            let count = file.read(&mut first).await.unwrap();
            assert!(0 < count && count < all.len(), "{count}");
            let mut rest = String::new();
            file.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, all[count..]);
        });
    }

    fn a_handle_of_a_crashed_node_is_dead() {
        for power in [false, true] {
            let sim = Sim::new(1);
            let node = idle(&sim, "a");
            let file = on(&sim, &node, async {
                let mut file = open("/f", "rwc").await.unwrap();
                file.write_all(b"hello").await.unwrap();
                file.flush().await.unwrap();
                file
            });
            match power {
                true => node.power_off(),
                false => node.crash(),
            }
            let mut file = sim.block_on(async move {
                assert_errno(file.sync_all().await, Errno::BADF);
                file
            });
            node.restart();
            sim.block_on(async move {
                assert_errno(file.read(&mut [0; 5]).await, Errno::BADF);
                assert_errno(file.metadata().await, Errno::BADF);
                let written = match file.write_all(b"!").await {
                    Ok(()) => file.flush().await,
                    failed => failed,
                };
                assert_errno(written, Errno::BADF);
            });
        }
    }

    fn a_crash_while_something_is_under_way_leaves_a_part_of_it() {
        let mut left = BTreeSet::new();
        let mut half_written = false;
        for seed in 0..40 {
            let sim = Sim::new(seed);
            let node = idle(&sim, "a");
            for number in 0..10 {
                node.disk().write(format!("/d/{}/{number}", number % 3), "x").unwrap();
            }
            node.disk().write("/f", "old").unwrap();
            let rt = node.runtime();
            drop(rt.spawn(async {
                let _ = files().remove_dir_all(p("/d")).await;
            }));
            drop(rt.spawn(async {
                let _ = write("/f", "new").await;
            }));
            pass(&sim, Duration::from_micros(60 * (seed % 20)));
            node.crash();
            pass(&sim, Duration::from_millis(10));
            let count = (0..10)
                .filter(|number| node.disk().exists(format!("/d/{}/{number}", number % 3)).unwrap())
                .count();
            left.insert(count);
            let text = node.disk().read("/f").unwrap();
            assert!([&b"old"[..], b"", b"new"].contains(&&*text), "{text:?}");
            half_written |= text.is_empty();
        }
        assert!(left.len() > 3, "{left:?}");
        assert!(half_written);
    }

    fn one_seed_is_one_execution_and_another_one_another() {
        let mut hashes = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            let first = busy_under(seed, None);
            assert_eq!(first, busy_under(seed, None), "seed {seed}");
            assert!(!first.3.is_empty());
            hashes.insert(first.0);
            seen.insert(first.1);
        }
        assert_eq!((hashes.len(), seen.len()), (20, 20));
    }

    fn a_fault_that_is_left_out_changes_no_other_one() {
        let (_, _, errors, faults) = busy_under(3, None);
        assert!(!errors.is_empty());
        let (_, _, none, left) = busy_under(3, Some(Vec::new()));
        assert_eq!((none, left), (Vec::new(), Vec::new()));
        // The first fault happens before anything can be different.
        let (_, _, _, one) = busy_under(3, Some(vec![faults[0]]));
        assert!(one.iter().all(|id| *id == faults[0]) && !one.is_empty());
        assert!(faults[0].to_string().starts_with("d1."), "{}", faults[0]);
    }

    fn the_order_of_a_directory_is_the_seeds() {
        let order = |seed| {
            let sim = Sim::new(seed);
            let node = idle(&sim, "a");
            for name in ["a", "b", "c"] {
                node.disk().write(format!("/d/{name}"), "").unwrap();
            }
            on(&sim, &node, async {
                let entries = files().read_dir(p("/d")).await.unwrap();
                let names = entries.iter().map(|entry| entry.file_name().into_string().unwrap());
                names.collect::<String>()
            })
        };
        let orders: BTreeSet<_> = (0..60).map(order).collect();
        assert_eq!(orders.len(), 6, "{orders:?}");
        assert_eq!(order(7), order(7));
    }

    fn chaos_has_each_kind_of_trouble_with_disks() {
        let errors = |kind, seed| {
            let sim = Sim::new(seed);
            sim.chaos(Chaos::of([kind]));
            let errors = Arc::new(Mutex::new(Vec::new()));
            let there = Arc::clone(&errors);
            let host = sim.host("a", move || {
                let errors = Arc::clone(&there);
                async move {
                    loop {
                        here().sleep(Duration::from_millis(100)).await;
                        let begin = here().elapsed();
                        let (_, new) = busy().await;
                        let hung = here().elapsed() - begin > Duration::from_secs(1);
                        let at = here().elapsed();
                        errors.lock().unwrap().push((at, new, hung));
                    }
                }
            });
            pass(&sim, Duration::from_secs(60));
            assert_eq!(host.disk_faults(), DiskFaults::default());
            let errors = errors.lock().unwrap();
            let seen = errors.iter().flat_map(|(_, new, _)| new);
            let seen: BTreeSet<_> = seen.copied().collect();
            // Whatever was under way when all was healed has ended long before.
            let late = errors.iter().filter(|(at, ..)| *at > Duration::from_secs(45));
            let late: Vec<_> = late.collect();
            assert!(late.len() > 10);
            assert!(late.iter().all(|(_, new, hung)| new.is_empty() && !hung));
            (seen, errors.iter().any(|(.., hung)| *hung))
        };
        for (kind, errno, hangs) in [
            (Trouble::DiskErrors, Some(Errno::IO), false),
            (Trouble::FailingSync, Some(Errno::IO), false),
            (Trouble::FullDisk, Some(Errno::NOSPC), false),
            (Trouble::SlowDisk, None, true),
        ] {
            let (seen, hung) = errors(kind, 5);
            let expected: BTreeSet<_> = errno.map(Errno::raw_os_error).into_iter().collect();
            assert_eq!((seen, hung), (expected, hangs), "{kind:?}");
        }
    }

    fn nothing_leads_out_of_the_disk_and_nothing_stays_behind() {
        let sim = Sim::new(1);
        let (a, b) = (idle(&sim, "a"), idle(&sim, "b"));
        b.disk().write("/secret", "b").unwrap();
        let outside = b.disk().real_path().unwrap();
        let secret = outside.join("secret");
        assert!(secret.exists());
        let to = secret.clone();
        on(&sim, &a, async move {
            let up = p(&"../".repeat(20));
            assert_errno(files().read(up.join(to.strip_prefix("/").unwrap())).await, Errno::NOENT);
            assert_errno(files().read(to.clone()).await, Errno::NOENT);
            assert_eq!(files().canonicalize(up).await.unwrap(), p("/"));
            files().create_dir(p("/d")).await.unwrap();
            files().symlink(to, p("/d/absolute")).await.unwrap();
            assert_errno(read("/d/absolute").await, Errno::NOENT);
            let climbs = p("../../../../../..");
            files().symlink(climbs.clone(), p("/d/up")).await.unwrap();
            assert_eq!(files().read_link(p("/d/up")).await.unwrap(), climbs);
            assert_eq!(files().canonicalize(p("/d/up/d/")).await.unwrap(), p("/d"));
            files().symlink(p("/d/loop"), p("/d/loop")).await.unwrap();
            assert_errno(read("/d/loop").await, Errno::LOOP);
            write("/d/f", "x").await.unwrap();
            assert_errno(read("/d/f/").await, Errno::NOTDIR);
            assert_errno(read("/d/f/g").await, Errno::NOTDIR);
            assert_errno(read("").await, Errno::NOENT);
            assert_eq!(read("a\0b").await.unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_errno(read(&"x".repeat(300)).await, Errno::NAMETOOLONG);
            assert_errno(files().remove_dir_all(p("/")).await, Errno::BUSY);
            // The target of a dangling link is created.
            files().symlink(p("../g"), p("/d/link")).await.unwrap();
            write("/d/link", "through").await.unwrap();
            assert_eq!(read("/g").await.unwrap(), "through");
        });
        assert_eq!(std::fs::read(&secret).unwrap(), b"b");
        let directory = outside.parent().unwrap().parent().unwrap().to_owned();
        drop(sim);
        assert!(!directory.exists(), "{}", directory.display());
    }

    fn permissions_survive_a_power_failure_and_do_not_hinder_it() {
        for unsynced in [Unsynced::Lost, Unsynced::Kept] {
            let sim = Sim::new(1);
            let node = idle(&sim, "a");
            node.disk().write("/d/f", "old").unwrap();
            node.set_disk_faults(losing(unsynced));
            let mode = |path: &'static str, mode: u32| {
                let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
                files().set_permissions(p(path), permissions)
            };
            on(&sim, &node, async move {
                let mut file = open("/d/f", "w").await.unwrap();
                mode("/d/f", 0o000).await.unwrap();
                mode("/d", 0o500).await.unwrap();
                file.write_all(b"new").await.unwrap();
                file.flush().await.unwrap();
            });
            node.power_off();
            node.restart();
            let modes = on(&sim, &node, async {
                let modes = ["/d", "/d/f"].map(|path| files().metadata(p(path)));
                futures_util::future::join_all(modes).await
            });
            let modes = modes.into_iter().map(|metadata| {
                let permissions = metadata.unwrap().permissions();
                std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777
            });
            assert!(modes.eq([0o500, 0o000]));
            on(&sim, &node, async move {
                mode("/d/f", 0o600).await.unwrap();
                let expected = if unsynced == Unsynced::Lost { "old" } else { "new" };
                assert_eq!(read("/d/f").await.unwrap(), expected);
            });
        }
    }

    fn a_file_that_was_removed_is_readable_where_it_is_open() {
        let sim = Sim::new(1);
        let node = idle(&sim, "a");
        on(&sim, &node, async {
            let mut file = open("/f", "rwc").await.unwrap();
            files().remove_file(p("/f")).await.unwrap();
            write("/f", "another").await.unwrap();
            file.write_all(b"hello").await.unwrap();
            file.flush().await.unwrap();
            sync("/").await.unwrap();
            file.write_all(b", world").await.unwrap();
            file.flush().await.unwrap();
            file.set_len(10).await.unwrap();
            file.sync_all().await.unwrap();
            futures_util::AsyncSeekExt::seek(&mut file, io::SeekFrom::Start(0)).await.unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello, wor");
        });
        node.power_off();
        assert_eq!(node.disk().names("/").unwrap().iter().filter(|name| *name == "f").count(), 1);
    }
}

/// A file is what other threads may hold, too.
const _: () = {
    const fn is<T: Send + Sync + Unpin>() {}
    is::<File>();
};
