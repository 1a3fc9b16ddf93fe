//! Clocks of nodes that go wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::{JoinHandle as _, Spawner, Timer};
use anyrt_sim::{Chaos, Sim, SimRuntime, Trouble};

use crate::watchdog::tests;

const SECOND: Duration = Duration::from_secs(1);
/// More than all polls of these tests cost.
const LITTLE: Duration = Duration::from_micros(100);

fn here() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

#[track_caller]
fn assert_about(found: Duration, expected: Duration) {
    let distance = found.abs_diff(expected);
    assert!(distance < LITTLE, "{found:?} is not about {expected:?}");
}

tests! {
    fn a_fast_clock_fires_timers_early_and_is_right_by_its_own_measure() {
        for (drift, truth) in [
            (250_000, Duration::from_secs(8)),
            (-500_000, Duration::from_secs(20)),
            (0, Duration::from_secs(10)),
        ] {
            let sim = Sim::new(1);
            let node = sim.client("drifts", async move {
                let rt = here();
                let (start, shown, wall) = (rt.elapsed(), rt.now(), rt.system_time());
                rt.sleep(10 * SECOND).await;
                assert!(rt.now() - shown >= 10 * SECOND, "never early");
                assert_about(rt.now() - shown, 10 * SECOND);
                assert_about(rt.system_time().duration_since(wall).unwrap(), 10 * SECOND);
                assert_about(rt.elapsed() - start, truth);
            });
            sim.client("right", async move {
                let rt = here();
                let (start, shown) = (rt.elapsed(), rt.now());
                rt.sleep(10 * SECOND).await;
                assert_about(rt.now() - shown, 10 * SECOND);
                assert_about(rt.elapsed() - start, 10 * SECOND);
            });
            node.set_clock_drift(drift);
            sim.run().unwrap();
        }
    }

    fn timers_that_are_armed_already_follow_the_clock() {
        for (drift, truth) in [(500_000, 16), (-500_000, 24)] {
            let sim = Sim::new(1);
            let node = sim.client("drifts", async move {
                let rt = here();
                let sleep = |seconds| {
                    let rt = here();
                    rt.clone().spawn(async move { rt.sleep(seconds * SECOND).await })
                };
                let (dropped, sleeps) = (sleep(2), sleep(20));
                rt.sleep(SECOND).await;
                dropped.abort();
                sleeps.await.unwrap();
                assert_about(rt.elapsed(), truth * SECOND);
            });
            sim.client("ticks", async {
                // Always earlier than the others.
                for _ in 0..300 {
                    here().sleep(SECOND / 10).await;
                }
            });
            sim.client("sets", async move {
                here().sleep(4 * SECOND).await;
                node.set_clock_drift(drift);
                // It shows 16 or 8 s when it is right again, and keeps its distance.
                here().sleep(8 * SECOND).await;
                node.set_clock_drift(0);
            });
            sim.run().unwrap();
        }
    }

    fn chaos_lets_clocks_drift() {
        let (sender, receiver) = mpsc::channel();
        for seed in 0..10 {
            let sim = Sim::new(seed);
            sim.chaos(Chaos::of([Trouble::ClockDrift]).until(10 * SECOND));
            let sender = sender.clone();
            sim.client("client", async move {
                let rt = here();
                let (start, shown) = (rt.elapsed(), rt.now());
                rt.sleep(20 * SECOND).await;
                let (truth, shown) = (rt.elapsed() - start, rt.now() - shown);
                sender.send(truth.abs_diff(shown)).unwrap();
            });
            sim.run().unwrap();
        }
        drop(sender);
        let wrong = receiver.iter().filter(|distance| *distance > SECOND / 100);
        assert!(wrong.count() > 5);
    }

    fn a_drift_that_no_clock_has_is_refused() {
        let sim = Sim::new(1);
        let node = sim.handle().node();
        let refused = catch_unwind(AssertUnwindSafe(|| node.set_clock_drift(-1_000_000))).unwrap_err();
        let text = refused.downcast_ref::<String>().unwrap();
        assert!(text.contains("the clock of \"main\" must be from"), "{text}");
    }
}
