//! Which waves should be there and are not.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

/// A set of sequences, as ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(crate) fn insert(&mut self, range: RangeInclusive<u64>) {
        let (mut first, mut last) = (*range.start(), *range.end());
        if let Some((&start, &end)) = self.0.range(..=first).next_back() {
            if end >= first.saturating_sub(1) {
                (first, last) = (start, last.max(end));
            }
        }
        while let Some((&start, &end)) = self.0.range(first..=last.saturating_add(1)).next() {
            self.0.remove(&start);
            last = last.max(end);
        }
        if first <= last {
            self.0.insert(first, last);
        }
    }

    /// The sequences from `first` on and before `end` that are not in it, in order.
    pub(crate) fn uncovered(&self, first: u64, end: u64) -> Vec<RangeInclusive<u64>> {
        let mut gaps = Vec::new();
        let before = self.0.range(..=first).next_back();
        let mut from = first.max(before.map_or(0, |(_, last)| last.saturating_add(1)));
        // As they do not touch, something is missing before each.
        for (&start, &last) in self.0.range(from..end.max(from)) {
            gaps.push(from..=start - 1);
            from = last.saturating_add(1);
        }
        if from < end {
            gaps.push(from..=end - 1);
        }
        gaps
    }

    /// Forgets the ranges that end before a sequence.
    fn forget_before(&mut self, sequence: u64) {
        while let Some(entry) = self.0.first_entry().filter(|entry| *entry.get() < sequence) {
            entry.remove();
        }
    }

    /// Forgets the ranges that begin at a sequence or after it.
    pub(crate) fn forget_from(&mut self, sequence: u64) {
        while let Some(entry) = self.0.last_entry().filter(|entry| *entry.key() >= sequence) {
            entry.remove();
        }
    }
}

impl FromIterator<RangeInclusive<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u64>>>(ranges: I) -> Self {
        let mut all = Self::default();
        ranges.into_iter().for_each(|range| all.insert(range));
        all
    }
}

/// Which waves are to come, and which of them will not.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// The next wave that is to come.
    next: u64,
    /// Taken away on purpose, as far as they are not there.
    removed: Ranges,
}

impl Missing {
    pub(crate) fn before(next: u64) -> Self {
        Self { next, removed: Ranges::default() }
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// These were taken away, as far as they are not there.
    pub(crate) fn remove(&mut self, range: RangeInclusive<u64>) {
        if *range.end() >= self.next {
            self.removed.insert(range);
        }
    }

    /// All waves before this sequence have come, or will not: those that should have are told, all of them.
    #[inline]
    pub(crate) fn reach(
        &mut self,
        sequence: u64,
        mut gap: impl FnMut(RangeInclusive<u64>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut stop = ControlFlow::Continue(());
        if sequence <= self.next {
            return stop;
        }
        for missing in self.removed.uncovered(self.next, sequence) {
            if gap(missing).is_break() {
                stop = ControlFlow::Break(());
            }
        }
        self.skip_to(sequence);
        stop
    }

    /// The waves before this sequence have come, or are not wanted.
    #[inline]
    pub(crate) fn skip_to(&mut self, sequence: u64) {
        self.next = self.next.max(sequence);
        self.removed.forget_before(self.next);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_no_range_covers_is_told_in_order(
            first in 0_u64..20,
            end in 0_u64..40,
            ranges in prop::collection::vec((0_u64..40, 0_u64..10), 0..8),
            forgotten in 0_u64..40,
            from_the_end in any::<bool>(),
        ) {
            let ranges: Vec<_> = ranges.iter().map(|&(from, more)| from..=from + more).collect();
            let mut all: Ranges = ranges.iter().cloned().collect();
            let covered: BTreeSet<u64> = ranges.into_iter().flatten().collect();
            let gaps = all.uncovered(first, end);
            prop_assert!(gaps.iter().all(|gap| !gap.is_empty()), "{:?}", gaps);
            let told: Vec<u64> = gaps.into_iter().flatten().collect();
            let expected: Vec<u64> = (first..end).filter(|it| !covered.contains(it)).collect();
            prop_assert_eq!(told, expected);
            // What is forgotten is not asked for any more, and takes no room.
            let (first, end) = if from_the_end {
                all.forget_from(forgotten);
                prop_assert!(all.0.keys().all(|first| *first < forgotten));
                (first, end.min(forgotten))
            } else {
                all.forget_before(forgotten);
                prop_assert!(all.0.values().all(|last| *last >= forgotten));
                (first.max(forgotten), end)
            };
            let told: Vec<u64> = all.uncovered(first, end).into_iter().flatten().collect();
            let expected: Vec<u64> = (first..end).filter(|it| !covered.contains(it)).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
