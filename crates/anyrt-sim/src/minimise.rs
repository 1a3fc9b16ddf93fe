//! Finds the causes that a failure needs: delta debugging after Zeller and Hildebrandt,
//! "Simplifying and isolating failure-inducing input" (2002). Only complements are tried, in parts
//! that get smaller: if a failure needs several faults far from each other, a part alone almost
//! never fails.

/// The result of minimising.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Minimal<T> {
    /// The causes with which it still fails, in their original order.
    pub(crate) needed: Vec<T>,
    /// The number of tries.
    pub(crate) tries: u32,
    /// `true` if leaving out each single one was tried.
    pub(crate) complete: bool,
}

/// The maximum number of tries for one failure.
const MOST: u32 = 400;

/// Leaves out as many causes as possible. `fails` returns whether the same failure happens with
/// only these; `None` from it ends the search.
///
/// Returns `None` if even all of them together do not lead to the failure.
pub(crate) fn minimise<T: Clone>(
    all: &[T],
    mut fails: impl FnMut(&[T]) -> Option<bool>,
) -> Option<Minimal<T>> {
    let mut tries = 0;
    let mut try_with = |causes: &[T]| {
        if tries == MOST {
            return (None, tries);
        }
        tries += 1;
        (fails(causes), tries)
    };
    let minimal = |needed: &[T], tries, complete| {
        Some(Minimal {
            needed: needed.to_vec(),
            tries,
            complete,
        })
    };
    if try_with(all).0 != Some(true) {
        return None;
    }
    if let (Some(true), tries) = try_with(&[]) {
        return minimal(&[], tries, true);
    }
    let (mut needed, mut size, mut spent) = (all.to_vec(), all.len().div_ceil(2).max(1), 2);
    loop {
        let before = needed.len();
        let mut end = before;
        // From the last to the first: faults shortly before the failure remain, and the others are
        // removed in large parts.
        while end > 0 && needed.len() > 1 {
            let start = end.saturating_sub(size);
            let without = [&needed[..start], &needed[end.min(needed.len())..]].concat();
            if !without.is_empty() {
                match try_with(&without) {
                    (Some(fails), tries) => {
                        spent = tries;
                        if fails {
                            needed = without;
                        }
                    }
                    (None, tries) => return minimal(&needed, tries, false),
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

    fn minimum(count: u64, fails: impl Fn(&[u64]) -> bool) -> Option<Minimal<u64>> {
        let all: Vec<_> = (1..=count).collect();
        minimise(&all, |causes| Some(fails(causes)))
    }

    fn has(causes: &[u64], needed: &[u64]) -> bool {
        needed.iter().all(|cause| causes.contains(cause))
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
            let found = minimum(100, |causes| has(causes, needed)).expect("all fail");
            assert_eq!(found.needed, needed);
            assert!(found.complete && found.tries < 80, "{found:?}");
        }
    }

    #[test]
    fn one_of_several_causes_is_enough() {
        let found = minimum(100, |causes| has(causes, &[3, 50]) || has(causes, &[70]));
        let found = found.expect("all fail").needed;
        assert!(found == [3, 50] || found == [70], "{found:?}");
    }

    #[test]
    fn a_failure_that_does_not_come_again_has_no_minimum() {
        assert_eq!(minimum(10, |_| false), None);
    }

    #[test]
    fn the_search_has_an_end() {
        // All are needed, so this takes about n² tries.
        let found = minimum(1_000, |causes| causes.len() >= 999).expect("all fail");
        assert!(found.tries <= MOST && !found.complete, "{found:?}");
        let all: Vec<_> = (1..=1_000).collect();
        let mut left = 5;
        let found = minimise(&all, |causes| {
            left -= 1;
            (left > 0).then_some(causes.len() == 1_000)
        });
        let found = found.expect("all fail");
        assert_eq!((found.needed, found.complete), (all, false));
    }
}
