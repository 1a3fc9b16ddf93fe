//! Crates that ask `getrandom` draw from the seed in a simulation, and from the system outside of
//! it.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt::sim::Sim;
use rand_08::RngCore as _;
use rand_09::TryRngCore as _;

/// A number of each crate.
fn draw() -> Vec<u64> {
    let mut bytes = [[0; 8]; 3];
    getrandom_02::getrandom(&mut bytes[0]).unwrap();
    getrandom_03::fill(&mut bytes[1]).unwrap();
    getrandom_04::fill(&mut bytes[2]).unwrap();
    let mut numbers: Vec<_> = bytes.map(u64::from_le_bytes).into();
    let mut uninit = [MaybeUninit::uninit(); 8];
    let filled = getrandom_04::fill_uninit(&mut uninit).unwrap();
    numbers.push(u64::from_le_bytes(filled.try_into().unwrap()));
    numbers.push(rand_08::rngs::OsRng.next_u64());
    numbers.push(rand_08::random());
    numbers.push(rand_09::rngs::OsRng.try_next_u64().unwrap());
    numbers.push(rand_09::random());
    numbers.push(uuid::Uuid::new_v4().as_u64_pair().0);
    numbers
}

#[anyrt::test(sim, seeds = 50, check = 2)]
async fn what_is_drawn_is_equal_in_two_processes() {
    for number in draw() {
        anyrt::time::sleep(Duration::from_millis(number % 1_000)).await;
    }
}

/// On a thread of its own: `rand` keeps a generator per thread.
fn simulated(seed: u64) -> Vec<u64> {
    let run = move || {
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let sim = Sim::new(seed);
        let keep = Arc::clone(&drawn);
        sim.client("client", async move { *keep.lock().unwrap() = draw() });
        sim.run().unwrap();
        let drawn = drawn.lock().unwrap().clone();
        assert_eq!(drawn.len(), 9);
        drawn
    };
    std::thread::spawn(run).join().unwrap()
}

#[test]
fn each_seed_draws_its_own_numbers() {
    let (one, two) = (simulated(1), simulated(2));
    assert_eq!(one, simulated(1));
    assert!(one.iter().zip(&two).all(|(one, two)| one != two));
}

#[test]
fn the_system_is_asked_outside_of_a_simulation() {
    let (one, two) = (draw(), draw());
    assert!(one.iter().zip(&two).all(|(one, two)| one != two));
    let mut many = vec![0; 100_000];
    getrandom_02::getrandom(&mut many).unwrap();
    assert!(
        many.chunks(100)
            .all(|part| part.iter().any(|&byte| byte != 0))
    );
}
