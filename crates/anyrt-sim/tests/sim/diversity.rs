//! All orders occur, and none is favoured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyrt_core::Spawner;
use anyrt_core::runtime::Owner;
use anyrt_sim::{Schedule, Sim};

use crate::watchdog::tests;

/// The order in which five tasks run that are ready at once.
fn order(seed: u64, schedule: Schedule) -> Vec<u8> {
    let sim = Sim::builder()
        .seed(seed)
        .schedule(schedule)
        .build()
        .unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let rt = sim.handle();
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let order = Arc::clone(&order);
            rt.spawn(async move { order.lock().unwrap().push(number) })
        })
        .collect();
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    Arc::try_unwrap(order).unwrap().into_inner().unwrap()
}

tests! {
    fn five_racing_tasks_run_in_all_orders_equally_often() {
        const SEEDS: u64 = 5_000;
        let mut seen = BTreeMap::<_, u32>::new();
        for seed in 0..SEEDS {
            *seen.entry(order(seed, Schedule::Random)).or_default() += 1;
        }
        assert_eq!(seen.len(), 120, "some orders never occur");
        let expected = SEEDS as f64 / 120.0;
        let chi_squared: f64 = seen
            .values()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum();
        // 119 degrees of freedom: one seedless generator in a million is above.
        assert!(chi_squared < 200.0, "chi-squared is {chi_squared}");
        // And not suspiciously even.
        assert!(chi_squared > 60.0, "chi-squared is {chi_squared}");
    }

    fn pct_runs_them_in_all_orders() {
        let orders: std::collections::BTreeSet<_> = (0..5_000)
            .map(|seed| order(seed, Schedule::Pct { depth: 2 }))
            .collect();
        assert_eq!(orders.len(), 120);
    }

    fn fifo_runs_them_in_the_order_of_their_birth() {
        for seed in 0..20 {
            assert_eq!(order(seed, Schedule::Fifo), [0, 1, 2, 3, 4]);
        }
    }
}
