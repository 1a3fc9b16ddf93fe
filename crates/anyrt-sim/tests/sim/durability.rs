//! The disk after a power failure: every crash point of scripts of 40 steps, compared with a model.
//!
//! The model knows nothing of pages, undo logs or real directories. It keeps all trees that may be found after a power
//! failure, and for each file all contents that it has had; what is found must be among them, and must be exactly the
//! least where all that was not synced is lost, and the most where all is kept.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use anyrt_sim::{Node, Sim, Unsynced};

use crate::files::files;
use crate::files::{idle, losing, on, open, p, sync, write};
use crate::watchdog::tests;
use model::{Model, Object, Step};

/// Runs a step on the node. Returns whether it succeeded.
async fn run(step: Step) -> bool {
    use futures_util::{AsyncSeekExt, AsyncWriteExt};
    let result = match step {
        Step::Put(path, bytes) => files().write(p(path), bytes).await,
        Step::WriteAt(path, at, bytes) => match open(path, "w").await {
            Ok(mut file) => {
                file.seek(std::io::SeekFrom::Start(at)).await.unwrap();
                file.write_all(&bytes).await.unwrap();
                file.flush().await
            }
            Err(error) => Err(error),
        },
        Step::Append(path, bytes) => match open(path, "a").await {
            Ok(mut file) => {
                file.write_all(&bytes).await.unwrap();
                file.flush().await
            }
            Err(error) => Err(error),
        },
        Step::SetLen(path, len) => match open(path, "w").await {
            Ok(file) => file.set_len(len).await,
            Err(error) => Err(error),
        },
        Step::Rename(from, to) => files().rename(p(from), p(to)).await,
        Step::Link(from, to) => files().hard_link(p(from), p(to)).await,
        Step::Remove(path) => files().remove_file(p(path)).await,
        Step::MakeDir(path) => files().create_dir(p(path)).await,
        Step::RemoveDir(path) => files().remove_dir(p(path)).await,
        Step::Sync(path) => sync(path).await,
    };
    result.is_ok()
}

// ---- The comparison -----------------------------------------------------------------------------------------------

/// All that is on the disk: the contents of files, and no contents of directories.
fn found(node: &Node) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![String::from("/")];
    while let Some(directory) = open.pop() {
        for name in node.disk().names(&directory).unwrap() {
            let name = name.to_str().unwrap();
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            match node.disk().names(&path) {
                Ok(_) => {
                    found.insert(path.clone(), None);
                    open.push(path);
                }
                Err(_) => drop(found.insert(path.clone(), Some(node.disk().read(&path).unwrap()))),
            }
        }
    }
    found
}

/// A node without the directory for temporary files.
fn blank(sim: &Sim) -> Node {
    let node = idle(sim, "a");
    for name in node.disk().names("/").unwrap() {
        node.disk().remove(p("/").join(name)).unwrap();
    }
    node
}

/// Runs the steps, cuts the power, and compares what is left with the model.
#[track_caller]
fn fail_after(steps: &[Step], seed: u64, unsynced: Unsynced) {
    let sim = Sim::new(seed);
    let node = blank(&sim);
    node.set_disk_faults(losing(unsynced));
    let mut model = Model::new(&[]);
    let script = steps.to_vec();
    let results = on(&sim, &node, async move {
        let mut results = Vec::new();
        for step in script {
            results.push(run(step).await);
        }
        results
    });
    for (step, result) in steps.iter().zip(results) {
        assert_eq!(model.step(step), result, "{step:?} of {steps:#?}");
    }
    let holds_now = |object: Object, bytes: &[u8]| {
        let moments = model.objects[object].as_ref().unwrap();
        moments[moments.len() - 1].bytes == bytes
    };
    let running = found(&node);
    assert!(
        model.is(&model.now, &running, holds_now),
        "running, seed {seed}: {running:?}\nafter {steps:#?}"
    );
    node.power_off();
    let left = found(&node);
    let is_right = match unsynced {
        Unsynced::Random => model
            .possible
            .values()
            .any(|names| model.is(names, &left, |object, bytes| model.may_have(object, bytes))),
        Unsynced::Lost => {
            let least = &model.possible[&BTreeSet::new()];
            model.is(least, &left, |object, bytes| {
                model.objects[object].as_ref().unwrap()[0].bytes == bytes
            })
        }
        Unsynced::Kept => model.is(&model.now, &left, holds_now),
    };
    let shown: BTreeMap<_, _> = left
        .iter()
        .map(|(path, bytes)| (path, bytes.as_ref().map(Vec::len)))
        .collect();
    assert!(
        is_right,
        "{unsynced:?}, seed {seed}: {shown:?} cannot be left\nafter {steps:#?}"
    );
    // It is durable now, and the disk works.
    node.restart();
    on(&sim, &node, async { write("/new", "!").await.unwrap() });
    node.set_disk_faults(losing(Unsynced::Lost));
    node.power_off();
    assert_eq!(found(&node), left, "the second power failure");
}

/// Random numbers of the test's own.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.one(&[1, 5, 100, 511, 513, 4_000, 4_096, 6_000, 9_000]);
        let first = self.below(200) as u8 + 1;
        (0..len)
            .map(|at| first.wrapping_add((at / 100) as u8) | 1)
            .collect()
    }
}

const FILES: [&str; 6] = ["/a", "/b", "/d/a", "/d/b", "/e/a", "/d/g/a"];
const DIRECTORIES: [&str; 3] = ["/d", "/e", "/d/g"];

/// More trees are not kept at once: a directory is synced then.
const MOST_TREES: usize = 500;

/// A script of 40 steps, of which most succeed.
fn script(seed: u64) -> Vec<Step> {
    let mut dice = Dice(seed ^ 0x5eed);
    let mut model = Model::new(&[]);
    let mut steps = Vec::new();
    while steps.len() < 40 {
        let (file, other) = (dice.one(&FILES), dice.one(&FILES));
        let (directory, another) = (dice.one(&DIRECTORIES), dice.one(&DIRECTORIES));
        let step = match dice.below(24) {
            _ if model.possible.len() > MOST_TREES => {
                let syncs = ["/", "/d", "/e", "/d/g"].map(Step::Sync);
                let mut best = syncs.iter();
                let mut model = model.clone();
                best.find(|sync| model.step(sync) && model.possible.len() <= MOST_TREES)
                    .cloned()
                    .unwrap_or(Step::Sync("/"))
            }
            0..=3 => Step::Put(file, dice.bytes()),
            4..=6 => Step::WriteAt(file, dice.one(&[0, 10, 500, 4_090, 10_000]), dice.bytes()),
            7..=8 => Step::Append(file, dice.bytes()),
            9..=10 => Step::SetLen(file, dice.one(&[0, 3, 600, 4_096, 5_000, 12_000])),
            11..=13 => Step::Rename(file, other),
            14 => Step::Rename(directory, another),
            15 => Step::Link(file, other),
            16 => Step::Remove(file),
            17..=18 => Step::MakeDir(directory),
            19 => Step::RemoveDir(directory),
            20..=21 => Step::Sync(file),
            22 => Step::Sync(directory),
            _ => Step::Sync("/"),
        };
        // A step that fails is kept now and then.
        let mut after = model.clone();
        if after.step(&step) || dice.below(10) == 0 {
            model = after;
            steps.push(step);
        }
    }
    steps
}

/// A script by hand, with what random ones seldom have: a file leaves a directory that is removed then, a name is used
/// again, one of two links goes, a directory with contents moves.
fn by_hand() -> Vec<Step> {
    use Step::*;
    let mut dice = Dice(7);
    let mut bytes = || dice.bytes();
    vec![
        MakeDir("/d"),
        Put("/d/a", bytes()),
        Sync("/d/a"),
        Sync("/d"),
        Sync("/"),
        Append("/d/a", bytes()),
        MakeDir("/e"),
        Rename("/d/a", "/e/a"),
        RemoveDir("/d"),
        Sync("/"),
        Sync("/e"),
        WriteAt("/e/a", 4_090, bytes()),
        SetLen("/e/a", 600),
        Append("/e/a", bytes()),
        Sync("/e/a"),
        Put("/a", bytes()),
        Sync("/a"),
        Rename("/a", "/e/a"),
        Link("/e/a", "/b"),
        Remove("/e/a"),
        Sync("/e"),
        Sync("/"),
        Put("/b", bytes()),
        SetLen("/b", 12_000),
        WriteAt("/b", 10_000, bytes()),
        Rename("/b", "/a"),
        Put("/b", bytes()),
        Sync("/b"),
        Rename("/b", "/a"),
        Sync("/"),
        MakeDir("/d"),
        MakeDir("/d/g"),
        Put("/d/g/a", bytes()),
        Rename("/d", "/e"),
        Rename("/e/g/a", "/b"),
        RemoveDir("/e/g"),
        Sync("/e"),
        Link("/b", "/c"),
        Remove("/a"),
        Sync("/"),
    ]
}

/// Of the last two steps the second must not happen without the first: each directory would be in the other.
fn moved_apart() -> Vec<Step> {
    use Step::*;
    vec![
        MakeDir("/d"),
        MakeDir("/d/g"),
        Put("/d/g/a", vec![1; 10]),
        Sync("/d/g/a"),
        Sync("/d/g"),
        Sync("/d"),
        Sync("/"),
        Rename("/d/g", "/e"),
        Rename("/d", "/e/d"),
    ]
}

/// Of the last two steps the second must not happen without the first: the file would be gone.
fn moved_out() -> Vec<Step> {
    use Step::*;
    vec![
        MakeDir("/d"),
        MakeDir("/e"),
        Put("/d/a", vec![1; 10]),
        Sync("/d/a"),
        Sync("/d"),
        Sync("/"),
        Rename("/d/a", "/e/a"),
        RemoveDir("/d"),
    ]
}

fn every_crash_point(steps: &[Step], seeds: u64) {
    for point in 0..=steps.len() {
        fail_after(&steps[..point], 0, Unsynced::Lost);
        fail_after(&steps[..point], 0, Unsynced::Kept);
        for seed in 0..seeds {
            fail_after(&steps[..point], seed, Unsynced::Random);
        }
    }
}

tests! {
    fn every_crash_point_of_a_script_leaves_what_the_model_allows() {
        let steps = by_hand();
        assert_eq!(steps.len(), 40);
        every_crash_point(&steps, 20);
    }

    fn a_directory_that_moves_does_not_swallow_what_was_moved_out_of_it() {
        every_crash_point(&moved_apart(), 60);
    }

    fn a_directory_that_is_removed_does_not_take_what_was_moved_out_of_it() {
        every_crash_point(&moved_out(), 60);
    }

    fn every_crash_point_of_random_scripts_leaves_what_the_model_allows() {
        for number in 0..10 {
            every_crash_point(&script(number), 4);
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo test -p anyrt-sim --test sim -- --ignored crash_points"]
fn crash_points_of_many_scripts() {
    for number in 0..100 {
        every_crash_point(&script(number), 10);
    }
}
