//! Sets of sequences, as ranges.

use std::ops::RangeInclusive;

/// Sequences: ranges in order, that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<RangeInclusive<u64>>);

impl Ranges {
    /// Adds a range, which may be empty. At the end, it costs nothing.
    pub(crate) fn add(&mut self, range: RangeInclusive<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut first, mut last) = range.into_inner();
        // Those that it overlaps or touches become one with it.
        let from = self.0.partition_point(|known| known.end().saturating_add(1) < first);
        let to = self.0.partition_point(|known| *known.start() <= last.saturating_add(1));
        if from < to {
            first = first.min(*self.0[from].start());
            last = last.max(*self.0[to - 1].end());
        }
        self.0.splice(from..to, [first..=last]);
    }

    /// Adds all of another.
    pub(crate) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|range| self.add(range.clone()));
    }

    /// Those that are not in another.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut gone =
            other.up_from(self.0.first().map_or(0, |range| *range.start())).iter().peekable();
        for range in &self.0 {
            let (mut first, last) = (*range.start(), *range.end());
            let mut over = false;
            while let Some(next) = gone.peek().filter(|next| *next.start() <= last) {
                if first < *next.start() {
                    left.push(first..=next.start() - 1);
                }
                over = *next.end() >= last;
                if over {
                    // It may reach into the next one too.
                    break;
                }
                first = first.max(next.end() + 1);
                gone.next();
            }
            if !over {
                left.push(first..=last);
            }
        }
        Self(left)
    }

    /// Those that are in a range.
    pub(crate) fn within(&self, range: RangeInclusive<u64>) -> Self {
        let (first, last) = range.into_inner();
        let mut inside = Self::default();
        for known in self.up_from(first).iter().take_while(|known| *known.start() <= last) {
            inside.add(first.max(*known.start())..=last.min(*known.end()));
        }
        inside
    }

    /// Those that end at a sequence or later.
    fn up_from(&self, sequence: u64) -> &[RangeInclusive<u64>] {
        &self.0[self.0.partition_point(|known| *known.end() < sequence)..]
    }

    /// The first of them behind a sequence.
    pub(crate) fn after(&self, sequence: u64) -> Option<u64> {
        let next = sequence.checked_add(1)?;
        self.up_from(next).first().map(|range| next.max(*range.start()))
    }

    /// Whether all of a range is among them.
    pub(crate) fn covers(&self, range: RangeInclusive<u64>) -> bool {
        let whole = |known: &RangeInclusive<u64>| known.start() <= range.start();
        range.is_empty() || self.up_from(*range.end()).first().is_some_and(whole)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last().map(|range| *range.end())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        self.0.iter().cloned()
    }

    pub(crate) fn into_vec(self) -> Vec<RangeInclusive<u64>> {
        self.0
    }
}

impl From<RangeInclusive<u64>> for Ranges {
    fn from(range: RangeInclusive<u64>) -> Self {
        let mut ranges = Self::default();
        ranges.add(range);
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Ranges, some of them empty, and the same as a plain set.
    fn both(ranges: &[(u64, u64)]) -> (Ranges, BTreeSet<u64>) {
        let (mut fast, mut plain) = (Ranges::default(), BTreeSet::new());
        for &(first, length) in ranges {
            fast.add(first..=(first + length).saturating_sub(1));
            plain.extend(first..first + length);
        }
        (fast, plain)
    }

    fn listed(ranges: &Ranges) -> Vec<u64> {
        ranges.iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn they_are_sets(
            one in prop::collection::vec((1..60_u64, 0..9_u64), 0..12),
            other in prop::collection::vec((1..60_u64, 0..9_u64), 0..12),
            (first, length) in (1..60_u64, 0..30_u64),
        ) {
            let ((one, plain), (other, less)) = (both(&one), both(&other));
            prop_assert!(listed(&one).iter().eq(&plain));
            prop_assert!(one.0.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()));
            let without = one.without(&other);
            prop_assert!(listed(&without).iter().eq(plain.difference(&less)));
            let within = one.within(first..=first + length);
            prop_assert!(without.iter().chain(within.iter()).all(|range| !range.is_empty()));
            prop_assert!(listed(&within).iter().eq(plain.range(first..=first + length)));
            let whole = (first..=first + length).all(|sequence| plain.contains(&sequence));
            prop_assert_eq!(one.covers(first..=first + length), whole);
            prop_assert_eq!(one.after(first), plain.range(first + 1..).next().copied());
            let mut all = one.clone();
            all.add_all(&other);
            prop_assert!(listed(&all).iter().eq(plain.union(&less)));
            prop_assert_eq!((one.last(), one.is_empty()), (plain.last().copied(), plain.is_empty()));
        }
    }

    #[test]
    fn the_greatest_sequence_is_one() {
        let mut ranges = Ranges::from(5..=u64::MAX);
        ranges.add(u64::MAX..=u64::MAX);
        assert_eq!(ranges.without(&Ranges::from(7..=u64::MAX)), Ranges::from(5..=6));
        assert_eq!(Ranges::from(1..=9).without(&ranges), Ranges::from(1..=4));
    }
}
