//! Which core the receiver runs on and which the load: figures per CPU second are compared only when the two do not share one.

use std::fmt;

use alscope_child_programs::supervised::move_to;
use rustix::thread::{CpuSet, sched_getaffinity};

/// The cores of this machine, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    /// The one that a receiver runs on.
    pub(crate) receiver: usize,
    /// Those that the load comes from.
    pub(crate) generator: Vec<usize>,
}

impl Cores {
    /// Divides the cores that this process may use and moves this thread, and those that it will start, to the generator's.
    /// `None` if there is only one, or the system refuses.
    pub(crate) fn divided() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|core| allowed.is_set(*core))
            .collect();
        let cores = Self::of(&allowed, siblings)?;
        move_to(&cores.generator).ok()?;
        Some(cores)
    }

    /// A hyper-thread of the receiver's core would slow it down: it stays idle unless it is all there is.
    fn of(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<Self> {
        let (&receiver, others) = allowed.split_first()?;
        let siblings = siblings(receiver);
        let (near, far): (Vec<usize>, Vec<usize>) = others.iter().partition(|core| siblings.contains(core));
        let generator = if far.is_empty() { near } else { far };
        (!generator.is_empty()).then_some(Cores { receiver, generator })
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { receiver, generator } = self;
        write!(formatter, "receiver on core {receiver}, load from ")?;
        match generator.as_slice() {
            [core] => write!(formatter, "core {core}"),
            cores => write!(formatter, "{} others", cores.len()),
        }
    }
}

/// The hyper-threads of the core that `core` is one of; empty where the system does not say.
fn siblings(core: usize) -> Vec<usize> {
    let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    std::fs::read_to_string(file).map_or_else(|_| Vec::new(), |list| numbers(&list))
}

/// The numbers of a list such as `0,4-6`.
fn numbers(text: &str) -> Vec<usize> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_has_every_core_but_the_receivers_and_its_hyper_threads() {
        let cores = Cores::of(&[0, 1, 2, 3], |_| vec![0, 2]).unwrap();
        assert_eq!((cores.receiver, cores.generator), (0, vec![1, 3]));
    }

    #[test]
    fn a_hyper_thread_is_better_than_no_core() {
        let cores = Cores::of(&[4, 5], |_| vec![4, 5]).unwrap();
        assert_eq!((cores.receiver, cores.generator), (4, vec![5]));
        assert_eq!(Cores::of(&[4], |_| vec![4]), None);
    }

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(numbers("0,4-6\n"), [0, 4, 5, 6]);
        assert!(numbers("").is_empty());
    }
}
