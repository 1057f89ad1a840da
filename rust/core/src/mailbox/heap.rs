//! The waves of mixed priorities in one mailbox: a heap of which each node has four children.
//!
//! ```text
//! place     0    1 2 3 4    5 6 7 8    9 ...
//! children  1-4  5-8 ...               of place p: 4p + 1 .. 4p + 4, side by side in memory
//! ```
//! The standard library's heap has two children to a node. With four, a thousand waves are five steps deep
//! instead of ten, and the children of a node lie in one or two cache lines: one out and one in takes 41 ns
//! among 1,000 instead of 48, and 88 ns among 100,000 instead of 112 (24 bytes a node, the keys drawn so that
//! a new one lands anywhere).
//!
//! The wave of least rank is at place 0. Ranks are never equal, as each has its own arrival.

use super::ranked::Rank;

const CHILDREN: usize = 4;

/// Waves by rank, the least first.
#[derive(Debug)]
pub(super) struct Heap<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    rank: Rank,
    /// `None` only in the *hole*, the node that is being filled.
    item: Option<T>,
}

impl<T> Heap<T> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The wave of least rank.
    #[inline]
    pub(super) fn first(&self) -> Option<&T> {
        self.nodes.first()?.item.as_ref()
    }

    /// Adds a wave.
    #[inline]
    pub(super) fn push(&mut self, rank: Rank, item: T) {
        let mut hole = self.nodes.len();
        self.nodes.push(Node { rank, item: None });
        while hole > 0 {
            let parent = (hole - 1) / CHILDREN;
            if self.nodes[parent].rank < rank {
                break;
            }
            self.fill(hole, parent);
            hole = parent;
        }
        self.nodes[hole] = Node { rank, item: Some(item) };
    }

    /// Takes the wave of least rank out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Rank, T)> {
        let last = self.nodes.pop()?;
        let Some(first) = self.nodes.first_mut() else { return taken(last) };
        let first = Node { rank: first.rank, item: first.item.take() };
        let mut hole = 0;
        while let Some(child) = self.least_child(hole) {
            if last.rank < self.nodes[child].rank {
                break;
            }
            self.fill(hole, child);
            hole = child;
        }
        self.nodes[hole] = last;
        taken(first)
    }

    /// The wave at a place.
    pub(super) fn at(&self, place: usize) -> Option<&T> {
        self.nodes.get(place)?.item.as_ref()
    }

    /// Every wave with its rank, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &T)> {
        self.nodes.iter().filter_map(|node| Some((node.rank, node.item.as_ref()?)))
    }

    /// The same, taken out.
    pub(super) fn into_waves(self) -> impl Iterator<Item = (Rank, T)> + use<T> {
        self.nodes.into_iter().filter_map(taken)
    }

    /// Moves a wave into the hole; its own place is the hole now.
    #[expect(
        clippy::inline_always,
        reason = "a few moves at each step, which the compiler makes a call of"
    )]
    #[inline(always)]
    fn fill(&mut self, hole: usize, from: usize) {
        let Node { rank, item } = &mut self.nodes[from];
        let moved = Node { rank: *rank, item: item.take() };
        self.nodes[hole] = moved;
    }

    /// The child of least rank.
    #[expect(clippy::inline_always, reason = "as for `fill`")]
    #[inline(always)]
    fn least_child(&self, parent: usize) -> Option<usize> {
        let first = parent * CHILDREN + 1;
        let children = &self.nodes[first.min(self.nodes.len())..];
        if let [a, b, c, d, ..] = children {
            // Three comparisons that do not wait for each other's branches.
            let (left, lesser) = if b.rank < a.rank { (1, b.rank) } else { (0, a.rank) };
            let (right, other) = if d.rank < c.rank { (3, d.rank) } else { (2, c.rank) };
            return Some(first + if other < lesser { right } else { left });
        }
        let (place, _) = children.iter().enumerate().min_by_key(|(_, child)| child.rank)?;
        Some(first + place)
    }
}

impl<T> FromIterator<(Rank, T)> for Heap<T> {
    fn from_iter<I: IntoIterator<Item = (Rank, T)>>(waves: I) -> Self {
        let mut heap = Self::new();
        for (rank, item) in waves {
            heap.push(rank, item);
        }
        heap
    }
}

fn taken<T>(node: Node<T>) -> Option<(Rank, T)> {
    Some((node.rank, node.item?))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any order of arrivals and departures, the standard library's heap says the same.
        #[test]
        fn leaves_as_the_standard_heap_does(steps in prop::collection::vec(prop::option::of(0..40u64), 0..400)) {
            let (mut heap, mut plain) = (Heap::new(), BinaryHeap::new());
            for (arrival, step) in (0..).zip(steps) {
                if let Some(key) = step {
                    heap.push(Rank { key, arrival }, arrival);
                    plain.push(Reverse((key, arrival)));
                } else {
                    let least = plain.pop().map(|Reverse((key, arrival))| (Rank { key, arrival }, arrival));
                    prop_assert_eq!(heap.pop(), least);
                }
                prop_assert_eq!(heap.len(), plain.len());
                prop_assert_eq!(heap.first().copied(), plain.peek().map(|least| least.0.1));
            }
            let mut rest: Vec<_> = heap.into_waves().map(|(rank, _)| rank).collect();
            rest.sort_unstable();
            let plain: Vec<_> = plain.into_sorted_vec().into_iter().rev().map(|Reverse((key, arrival))| Rank { key, arrival }).collect();
            prop_assert_eq!(rest, plain);
        }
    }
}
