//! Trouble by one line, places that misbehave, and what must happen sometimes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt_core::net::TcpListener as _;
use anyrt_core::runtime::Owner;
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{Chaos, Event, Link, Sim, SimRuntime, Trouble};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use crate::watchdog::tests;

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Three echo servers and a client that asks them in turn for a minute. Returns how often it was answered, and when last.
fn asked(seed: u64, chaos: Option<Chaos>) -> (Sim, u64, Duration) {
    let sim = Sim::builder().seed(seed).record().build().unwrap();
    for number in 0..3 {
        sim.host(&format!("echo-{number}"), || async {
            let rt = here();
            let listener = rt.bind_tcp("0.0.0.0:7").await.unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                drop(rt.spawn(async move {
                    let (read, mut write) = stream.split();
                    let _ = futures_util::io::copy(read, &mut write).await;
                }));
            }
        });
    }
    if let Some(chaos) = chaos {
        sim.chaos(chaos);
    }
    let (answers, last) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(Duration::ZERO)),
    );
    let (count, told) = (Arc::clone(&answers), Arc::clone(&last));
    sim.client("client", async move {
        let rt = here();
        let end = Duration::from_secs(60);
        for number in (0..3).cycle() {
            if rt.elapsed() > end {
                return;
            }
            let ask = async {
                let mut stream = rt.connect_tcp(format!("echo-{number}:7")).await?;
                stream.write_all(b"?").await?;
                stream.read_exact(&mut [0]).await
            };
            if let Ok(Ok(())) = rt.timeout(Duration::from_millis(300), ask).await {
                count.fetch_add(1, Ordering::Relaxed);
                *told.lock().unwrap() = rt.elapsed();
            }
            rt.sleep(Duration::from_millis(50)).await;
        }
    });
    if let Err(failure) = sim.run() {
        panic!("{failure}");
    }
    let last = *last.lock().unwrap();
    (sim, answers.load(Ordering::Relaxed), last)
}

fn kinds(sim: &Sim) -> BTreeSet<String> {
    let steps = sim.steps();
    let faults = steps.iter().filter_map(|step| match step.event {
        Event::Fault(kind) => Some(format!("fault {kind}")),
        Event::Node(change) => Some(format!("node {}", change % 8)),
        _ => None,
    });
    faults.collect()
}

tests! {
    fn chaos_disturbs_and_ends() {
        let (_, calm, _) = asked(1, None);
        for seed in 0..10 {
            let (sim, answers, last) = asked(seed, Some(Chaos::of(Trouble::ALL)));
            assert!(answers < calm, "seed {seed} is not disturbed: {answers} of {calm}");
            // The last trouble begins before 30 s and lasts for two seconds at most; what it cut is healed.
            assert!(last > Duration::from_secs(59), "seed {seed} is not healed: {last:?}");
            assert_eq!(sim.foreign_wakes(), 0);
        }
    }

    fn chaos_is_of_the_seed() {
        let hash = |seed| asked(seed, Some(Chaos::swarm())).0.hash();
        assert_eq!(hash(3), hash(3));
        assert_ne!(hash(3), hash(4));
    }

    fn each_kind_of_trouble_comes() {
        for (kind, shows) in [
            (Trouble::Partition, "fault 17"),
            (Trouble::OneWayPartition, "fault 17"),
            (Trouble::Hold, "fault 16"),
            (Trouble::Crash, "node 1"),
            (Trouble::PowerOff, "node 1"),
            (Trouble::Pause, "node 2"),
            (Trouble::BadLinks, "fault 2"),
        ] {
            let (sim, ..) = asked(5, Some(Chaos::of([kind])));
            assert!(kinds(&sim).contains(shows), "{kind:?}: {:?}", kinds(&sim));
        }
        let clocks: Arc<Mutex<BTreeSet<_>>> = Arc::default();
        let seen = Arc::clone(&clocks);
        let sim = Sim::new(5);
        sim.chaos(Chaos::of([Trouble::WrongClock]));
        sim.client("client", async move {
            let rt = here();
            for _ in 0..100 {
                rt.sleep(Duration::from_millis(400)).await;
                let start = rt.system_time() - rt.elapsed();
                seen.lock().unwrap().insert(start);
            }
        });
        sim.run().unwrap();
        assert!(clocks.lock().unwrap().len() > 2, "the wall clock is never wrong");
    }

    fn a_swarm_has_another_part_of_the_kinds_for_each_seed() {
        let parts: BTreeSet<_> = (0..20)
            .map(|seed| kinds(&asked(seed, Some(Chaos::swarm().without(&[Trouble::BadLinks]))).0))
            .collect();
        assert!(parts.len() > 5, "{parts:?}");
    }

    fn chaos_leaves_the_links_as_they_were() {
        let sim = Sim::new(6);
        let mut link = Link::default();
        link.loss = 1.0;
        sim.set_link(link);
        sim.host("server", || async {
            let listener = here().bind_tcp("0.0.0.0:7").await.unwrap();
            let _ = listener.accept().await;
        });
        sim.chaos(Chaos::of([Trouble::BadLinks]).until(Duration::from_secs(10)));
        sim.client("client", async {
            let rt = here();
            rt.sleep(Duration::from_secs(20)).await;
            let cut = rt.timeout(Duration::from_secs(30), rt.connect_tcp("server:7")).await;
            assert!(cut.is_err(), "all is lost, as before");
        });
        sim.run().unwrap();
    }

    fn a_place_misbehaves_under_some_seeds_and_then_sometimes() {
        let fires = |seed, place| {
            let sim = Sim::new(seed);
            let rt = sim.handle().clone();
            (0..100).filter(|_| rt.buggify(place)).count()
        };
        let active = |place| (0..200).filter(|&seed| fires(seed, place) > 0).collect::<BTreeSet<_>>();
        let (one, other) = (active("a.rs:1"), active("a.rs:2"));
        // A quarter of 200, within four standard deviations.
        assert!((26..=74).contains(&one.len()), "{}", one.len());
        assert_ne!(one, other, "each place has seeds of its own");
        let seed = *one.first().unwrap();
        assert!((8..=42).contains(&fires(seed, "a.rs:1")));
        assert_eq!(fires(seed, "a.rs:1"), fires(seed, "a.rs:1"));
    }

    fn what_happens_sometimes_is_noted() {
        let sim = Sim::new(7);
        let rt = sim.handle();
        rt.sometimes("a", false);
        rt.sometimes("b", true);
        rt.sometimes("b", false);
        let noted: Vec<_> = sim.sometimes().into_iter().collect();
        assert_eq!(noted, [("a".to_owned(), false), ("b".to_owned(), true)]);
    }
}
