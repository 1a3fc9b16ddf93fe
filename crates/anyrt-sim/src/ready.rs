//! The ready tasks, and the selection of the next one.

use std::collections::{BTreeSet, VecDeque};

use crate::random::Random;

/// The policy that selects the next task among those that are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Schedule {
    /// Any of them, with equal probability.
    #[default]
    Random,
    /// The one that has been ready for the longest time, as most runtimes do.
    Fifo,
    /// Probabilistic concurrency testing (Burckhardt and others, 2010): each task has a random
    /// priority, the highest runs, and at `depth - 1` random moments the running task falls behind
    /// all others. Finds bugs that need few but unlikely changes between tasks. To prevent
    /// starvation, a task that yields falls behind, too, and so does the running one at random
    /// after the first 10,000 polls.
    Pct {
        /// The number of changes of order that the bug needs, plus one; 3 finds most.
        depth: u32,
    },
}

/// The polls over which the changes of [`Schedule::Pct`] are spread.
const PCT_STEPS: u64 = 10_000;
/// After these polls the running task falls behind once in this many polls. Fixed priorities would
/// starve all other tasks while two tasks wake each other.
const PCT_FAIRNESS: u64 = 100;

/// The numbers of the ready tasks.
#[derive(Debug)]
pub(crate) enum Ready {
    Random(RankSet),
    Fifo(VecDeque<usize>),
    Pct(Pct),
}

impl Ready {
    pub(crate) fn new(schedule: Schedule, random: &mut Random) -> Self {
        match schedule {
            Schedule::Random => Self::Random(RankSet::default()),
            Schedule::Fifo => Self::Fifo(VecDeque::new()),
            Schedule::Pct { depth } => Self::Pct(Pct::new(depth, random)),
        }
    }

    /// Adds a new task.
    pub(crate) fn born(&mut self, number: usize, random: &mut Random) {
        if let Self::Pct(pct) = self {
            pct.born(number, random);
        }
    }

    /// Adds a task that became ready. It must not be ready already.
    pub(crate) fn insert(&mut self, number: usize) {
        match self {
            Self::Random(set) => set.insert(number),
            Self::Fifo(queue) => queue.push_back(number),
            Self::Pct(pct) => pct.insert(number),
        }
    }

    /// Removes a task, wherever it is in the order.
    pub(crate) fn remove(&mut self, number: usize) {
        match self {
            Self::Random(set) => set.remove(number),
            Self::Fifo(queue) => queue.retain(|&other| other != number),
            Self::Pct(pct) => pct.remove(number),
        }
    }

    /// Takes the next one.
    pub(crate) fn pick(&mut self, random: &mut Random) -> Option<usize> {
        match self {
            Self::Random(set) => {
                if set.len() == 0 {
                    return None;
                }
                // By rank among the numbers: the order of wake-ups has no effect.
                let number = set.select(random.index(set.len()));
                set.remove(number);
                Some(number)
            }
            Self::Fifo(queue) => queue.pop_front(),
            Self::Pct(pct) => pct.pick(random),
        }
    }

    /// Records that the task woke itself while it was polled.
    pub(crate) fn yielded(&mut self, number: usize) {
        if let Self::Pct(pct) = self {
            pct.fall_behind(number);
        }
    }
}

/// A set of small numbers that finds the k-th smallest in logarithmic time.
#[derive(Debug, Default)]
pub(crate) struct RankSet {
    words: Vec<u64>,
    /// Sums of the words' counts, as a binary indexed tree.
    tree: Vec<usize>,
    len: usize,
}

impl RankSet {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, number: usize) {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.grow(word + 1);
        }
        if self.words[word] & bit == 0 {
            self.words[word] |= bit;
            self.add(word, 1);
        }
    }

    pub(crate) fn remove(&mut self, number: usize) {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.words.get(word).is_some_and(|bits| bits & bit != 0) {
            self.words[word] &= !bit;
            self.add(word, -1);
        }
    }

    /// Returns the number of that rank, which must be below [`len`](Self::len).
    pub(crate) fn select(&self, mut rank: usize) -> usize {
        debug_assert!(rank < self.len);
        // Down the tree, to the word with the number in it.
        let mut word = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            #[cfg(test)]
            crate::growth::count();
            let next = word + step;
            if next <= self.tree.len() && self.tree[next - 1] <= rank {
                rank -= self.tree[next - 1];
                word = next;
            }
            step /= 2;
        }
        let mut bits = self.words[word];
        for _ in 0..rank {
            bits &= bits - 1;
        }
        word * 64 + bits.trailing_zeros() as usize
    }

    fn grow(&mut self, words: usize) {
        self.words.resize(words.next_power_of_two(), 0);
        self.tree = vec![0; self.words.len()];
        self.len = 0;
        for word in 0..self.words.len() {
            self.add(word, self.words[word].count_ones() as isize);
        }
    }

    fn add(&mut self, word: usize, count: isize) {
        self.len = self.len.wrapping_add_signed(count);
        let mut at = word + 1;
        while at <= self.tree.len() {
            #[cfg(test)]
            crate::growth::count();
            self.tree[at - 1] = self.tree[at - 1].wrapping_add_signed(count);
            at += at & at.wrapping_neg();
        }
    }
}

/// The tasks by priority.
#[derive(Debug)]
pub(crate) struct Pct {
    /// The priority of each task; unique, because the task's number is its lowest part.
    priorities: Vec<u64>,
    ready: BTreeSet<(u64, usize)>,
    /// The polls at which the running task falls behind, last first.
    changes: Vec<u64>,
    polls: u64,
    /// Lower than all priorities assigned so far.
    lowest: u64,
}

impl Pct {
    fn new(depth: u32, random: &mut Random) -> Self {
        let mut changes: Vec<_> = (1..depth).map(|_| random.below(PCT_STEPS)).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            priorities: Vec::new(),
            ready: BTreeSet::new(),
            changes,
            polls: 0,
            lowest: 1 << 32,
        }
    }

    fn born(&mut self, number: usize, random: &mut Random) {
        if number >= self.priorities.len() {
            self.priorities.resize(number + 1, 0);
        }
        // Higher than those of the tasks that fell behind.
        self.priorities[number] = (1 << 32) + random.below(1 << 48);
    }

    fn insert(&mut self, number: usize) {
        self.ready.insert((self.priorities[number], number));
    }

    fn remove(&mut self, number: usize) {
        self.ready.remove(&(self.priorities[number], number));
    }

    fn pick(&mut self, random: &mut Random) -> Option<usize> {
        if let Some(&(_, number)) = self.ready.last() {
            let changes = self.changes.last().is_some_and(|&at| at <= self.polls);
            if changes {
                self.changes.pop();
            }
            if changes || self.polls >= PCT_STEPS && random.below(PCT_FAIRNESS) == 0 {
                self.fall_behind(number);
            }
        }
        self.polls += 1;
        self.ready.pop_last().map(|(_, number)| number)
    }

    fn fall_behind(&mut self, number: usize) {
        let was_ready = self.ready.remove(&(self.priorities[number], number));
        self.lowest = self.lowest.saturating_sub(1);
        self.priorities[number] = self.lowest;
        if was_ready {
            self.insert(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Concern;

    #[test]
    fn the_rank_set_agrees_with_a_sorted_list() {
        let mut random = Random::new(1, Concern::Schedule);
        let (mut set, mut model) = (RankSet::default(), BTreeSet::new());
        for _ in 0..5_000 {
            let number = random.index(1_500);
            if random.chance(0.5) {
                set.insert(number);
                model.insert(number);
            } else {
                set.remove(number);
                model.remove(&number);
            }
            assert_eq!(set.len(), model.len());
            if !model.is_empty() {
                let rank = random.index(model.len());
                assert_eq!(Some(&set.select(rank)), model.iter().nth(rank));
            }
        }
    }

    #[test]
    fn a_random_pick_does_not_depend_on_the_order_of_wake_ups() {
        let picks = |order: &[usize]| {
            let mut random = Random::new(3, Concern::Schedule);
            let mut ready = Ready::new(Schedule::Random, &mut random);
            order.iter().for_each(|&number| ready.insert(number));
            std::iter::from_fn(|| ready.pick(&mut random)).collect::<Vec<_>>()
        };
        let once = picks(&[1, 2, 3, 70, 900]);
        assert_eq!(once, picks(&[900, 3, 70, 1, 2]));
        assert_ne!(once, [1, 2, 3, 70, 900], "the seed chooses");
    }

    #[test]
    fn fifo_keeps_the_order_of_wake_ups() {
        let mut random = Random::new(3, Concern::Schedule);
        let mut ready = Ready::new(Schedule::Fifo, &mut random);
        [5, 1, 9]
            .into_iter()
            .for_each(|number| ready.insert(number));
        ready.remove(1);
        assert_eq!(ready.pick(&mut random), Some(5));
        assert_eq!(ready.pick(&mut random), Some(9));
        assert_eq!(ready.pick(&mut random), None);
    }

    #[test]
    fn under_pct_a_task_that_yields_lets_all_others_run() {
        let mut random = Random::new(3, Concern::Schedule);
        let mut ready = Ready::new(Schedule::Pct { depth: 3 }, &mut random);
        for number in 0..4 {
            ready.born(number, &mut random);
            ready.insert(number);
        }
        let mut seen = BTreeSet::new();
        for _ in 0..4 {
            let number = ready.pick(&mut random).unwrap();
            seen.insert(number);
            ready.insert(number);
            ready.yielded(number);
        }
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn under_pct_two_tasks_that_wake_each_other_let_a_third_run() {
        for seed in 0..50 {
            let mut random = Random::new(seed, Concern::Schedule);
            let mut ready = Ready::new(Schedule::Pct { depth: 3 }, &mut random);
            (0..3).for_each(|number| ready.born(number, &mut random));
            ready.insert(0);
            ready.insert(2);
            let mut third = 0;
            for _ in 0..100_000 {
                match ready.pick(&mut random) {
                    Some(2) => {
                        third += 1;
                        ready.insert(2);
                        ready.yielded(2);
                    }
                    Some(number) => ready.insert(1 - number),
                    None => unreachable!("one of the two is ready"),
                }
            }
            assert!(third > 100, "seed {seed}: {third} times");
        }
    }
}
