//! The cores for the measurements.

use rustix::thread::{CpuSet, sched_getaffinity};

use serde::Serialize;

/// The first core that this process may use, and a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Cores {
    pub(crate) first: usize,
    /// If there is one; another physical core if possible.
    pub(crate) second: Option<usize>,
}

impl Cores {
    pub(crate) fn find() -> Self {
        let allowed: Vec<usize> = sched_getaffinity(None).map_or_else(
            |_| vec![0],
            |set| {
                (0..CpuSet::MAX_CPU)
                    .filter(|&core| set.is_set(core))
                    .collect()
            },
        );
        Self::of(&allowed, |core| {
            let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
            std::fs::read_to_string(file).unwrap_or_default()
        })
    }

    /// Selects among these cores. `siblings` lists the cores that share the hardware of one, such
    /// as `0,4` or `0-1`.
    fn of(allowed: &[usize], siblings: impl Fn(usize) -> String) -> Self {
        let first = allowed.first().copied().unwrap_or(0);
        let shared = list(&siblings(first));
        let mut others = allowed.iter().copied().filter(|&core| core != first);
        let second = others
            .clone()
            .find(|core| !shared.contains(core))
            .or_else(|| others.next());
        Self { first, second }
    }
}

/// Parses `0,4-6`, the format of the system.
fn list(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) {
            cores.extend(from..=to);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::Cores;

    fn of(allowed: &[usize], siblings: &str) -> (usize, Option<usize>) {
        let cores = Cores::of(allowed, |_| siblings.to_owned());
        (cores.first, cores.second)
    }

    #[test]
    fn the_second_core_is_another_one_in_hardware_where_there_is_one() {
        assert_eq!(of(&[0, 1, 2, 3], "0-1"), (0, Some(2)));
        assert_eq!(of(&[2, 3, 6], "2,6\n"), (2, Some(3)));
        assert_eq!(of(&[0, 1], "0-1"), (0, Some(1)));
        assert_eq!(of(&[0, 1], "0"), (0, Some(1)));
        assert_eq!(of(&[5], "5"), (5, None));
    }
}
