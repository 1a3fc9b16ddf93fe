//! Which of the faults of a failing execution are needed: delta debugging after Zeller and Hildebrandt, "Simplifying and
//! isolating failure-inducing input" (2002). Only complements are tried, in parts that get smaller: where several faults
//! far from each other are needed, a part alone almost never fails.

use std::collections::BTreeSet;

use crate::injected::FaultId;

/// What minimising has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Minimal {
    /// With these alone it still fails.
    pub(super) faults: BTreeSet<FaultId>,
    /// How often the program was run for it.
    pub(super) executions: u32,
    /// Whether leaving out any one of them was tried.
    pub(super) complete: bool,
}

/// More executions are not spent on one failure.
const MOST: u32 = 400;

/// Leaves out as many faults as possible. `fails` tells whether the same failure happens with these faults alone;
/// `None` from it ends the search.
///
/// Returns `None` if not even all of them lead to the failure.
pub(super) fn minimise(
    all: &[FaultId],
    mut fails: impl FnMut(&BTreeSet<FaultId>) -> Option<bool>,
) -> Option<Minimal> {
    let mut executions = 0;
    let mut try_with = |faults: &[FaultId]| {
        if executions == MOST {
            return (None, executions);
        }
        executions += 1;
        (fails(&faults.iter().copied().collect()), executions)
    };
    let minimal = |faults: &[FaultId], executions, complete| {
        Some(Minimal {
            faults: faults.iter().copied().collect(),
            executions,
            complete,
        })
    };
    if try_with(all).0 != Some(true) {
        return None;
    }
    if let (Some(true), executions) = try_with(&[]) {
        return minimal(&[], executions, true);
    }
    let (mut needed, mut size, mut spent) = (all.to_vec(), all.len().div_ceil(2).max(1), 2);
    loop {
        let before = needed.len();
        let mut end = before;
        // The last ones first: what happened shortly before the failure stays, and the rest goes in large parts.
        while end > 0 && needed.len() > 1 {
            let start = end.saturating_sub(size);
            let without = [&needed[..start], &needed[end.min(needed.len())..]].concat();
            if !without.is_empty() {
                match try_with(&without) {
                    (Some(fails), executions) => {
                        spent = executions;
                        if fails {
                            needed = without;
                        }
                    }
                    (None, executions) => return minimal(&needed, executions, false),
                }
            }
            end = start;
        }
        if size > 1 {
            size = size.div_ceil(2).min(needed.len());
        } else if needed.len() == before {
            // None of them can be left out.
            return minimal(&needed, spent, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> BTreeSet<FaultId> {
        let id = |number: &u64| number.to_string().parse().expect("a number is one");
        numbers.iter().map(id).collect()
    }

    fn minimum(count: u64, fails: impl Fn(&BTreeSet<FaultId>) -> bool) -> Option<Minimal> {
        let numbers: Vec<_> = (1..=count).collect();
        let all: Vec<_> = ids(&numbers).into_iter().collect();
        minimise(&all, |faults| Some(fails(faults)))
    }

    #[test]
    fn what_is_needed_is_left_and_nothing_else() {
        for needed in [
            &[][..],
            &[1],
            &[97],
            &[3, 50],
            &[1, 2],
            &[49, 50, 51],
            &[1, 30, 60, 99],
        ] {
            let needed = ids(needed);
            let found = minimum(100, |faults| faults.is_superset(&needed)).expect("all fail");
            assert_eq!(found.faults, needed);
            assert!(found.complete && found.executions < 80, "{found:?}");
        }
    }

    #[test]
    fn one_of_several_causes_is_enough() {
        let (one, other) = (ids(&[3, 50]), ids(&[70]));
        let found = minimum(100, |faults| {
            faults.is_superset(&one) || faults.is_superset(&other)
        });
        let found = found.expect("all fail").faults;
        assert!(found == one || found == other, "{found:?}");
    }

    #[test]
    fn a_failure_that_does_not_come_again_has_no_minimum() {
        assert_eq!(minimum(10, |_| false), None);
    }

    #[test]
    fn the_search_has_an_end() {
        // Each fault is needed, so that about n² executions would be.
        let all = ids(&(1..=1_000).collect::<Vec<_>>());
        let found = minimum(1_000, |faults| faults.len() >= 999 || *faults == all);
        let found = found.expect("all fail");
        assert!(found.executions <= MOST && !found.complete, "{found:?}");
        let mut left = 5;
        let list: Vec<_> = all.iter().copied().collect();
        let found = minimise(&list, |faults| {
            left -= 1;
            (left > 0).then_some(faults.len() == 1_000)
        });
        let found = found.expect("all fail");
        assert_eq!((found.faults, found.complete), (all, false));
    }
}
