//! The patterns that one mailbox resonates on, in the order in which they came.
//!
//! Few are looked through; of many there is an index, so that to come and to go costs the same however many
//! there are. One that goes leaves a hole, and the holes are closed once they are as many as the patterns.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::channel::Pattern;
use crate::router::Seat;
use crate::seeds::Seeds;

/// How many are looked through.
const FEW: usize = 32;

#[derive(Debug)]
struct Resonance {
    span: Span,
    seat: Seat,
}

/// For which waves of a journal a pattern counts, while its mailbox is behind.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) pattern: Pattern,
    /// It counts for the waves after this one.
    pub(crate) start: u64,
    /// The mailbox has had those of its waves that came after this one, up to the start; the greatest number: nobody
    /// knows which.
    pub(crate) had_after: u64,
    /// How many patterns had gone when it came.
    pub(crate) born: u64,
    /// And when it went, with it, if it is there no more: nothing new counts.
    pub(crate) gone: Option<u64>,
    /// The mailbox began with the last wave of each of its channels.
    pub(crate) last: bool,
}

/// Whether a wave counts for some of these, and the mailbox has not had it by another one. What it has had by a pattern
/// that went is not kept from those that all came later: they ask for it again.
pub(crate) fn wanted<'a>(
    spans: impl Iterator<Item = &'a Span>,
    channel: &str,
    sequence: u64,
) -> bool {
    let (mut asked, mut had) = (None, None);
    for Span { pattern, start, had_after, born, gone, last: _ } in spans {
        let wants = *start < sequence && gone.is_none();
        let has_had = *had_after < sequence && sequence <= *start;
        if (!wants && !has_had) || !pattern.matches(channel) {
            continue;
        }
        if wants {
            asked = Some(asked.map_or(*born, |first: u64| first.min(*born)));
        } else {
            had = had.max(Some(gone.unwrap_or(u64::MAX)));
        }
    }
    asked.is_some_and(|born| had.is_none_or(|gone| gone <= born))
}

#[derive(Debug, Default)]
pub(crate) struct Resonances {
    places: Vec<Option<Resonance>>,
    held: usize,
    /// The place of each pattern, by its canonical spelling; none for few.
    index: Option<Box<Index>>,
}

#[derive(Debug, Default)]
struct Index {
    places: HashTable<u32>,
    seeds: Seeds,
}

impl Resonances {
    /// Each pattern, as it was spelled.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.places.iter().flatten().map(|one| &one.span.pattern)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Each pattern, and for which waves it counts.
    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.places.iter().flatten().map(|one| &one.span)
    }

    /// What comes up to this sequence has been looked at, by every pattern that counts for it.
    pub(crate) fn raise(&mut self, sequence: u64) {
        for one in self.places.iter_mut().flatten() {
            one.span.start = one.span.start.max(sequence);
        }
    }

    /// The mailbox begins with the last wave of each channel of this pattern.
    pub(crate) fn note_last(&mut self, pattern: &Pattern) {
        let found = self.find(pattern).and_then(|place| self.places[place].as_mut());
        if let Some(one) = found {
            one.span.last = true;
        }
    }

    /// Whether it is there, in whatever spelling.
    pub(crate) fn contains(&self, pattern: &Pattern) -> bool {
        self.find(pattern).is_some()
    }

    fn find(&self, pattern: &Pattern) -> Option<usize> {
        let same = |place: usize| {
            let known = self.places[place].as_ref();
            known.is_some_and(|known| known.span.pattern.canonical() == pattern.canonical())
        };
        match &self.index {
            None => (0..self.places.len()).find(|&place| same(place)),
            Some(index) => {
                let hash = index.seeds.hash_one(pattern.canonical());
                index.places.find(hash, |&place| same(place as usize)).map(|&place| place as usize)
            }
        }
    }

    /// Adds a pattern that is not there.
    pub(crate) fn push(&mut self, span: Span, seat: Seat) {
        self.places.push(Some(Resonance { span, seat }));
        self.held += 1;
        let last = self.places.len() - 1;
        match &mut self.index {
            Some(index) => index.add(&self.places, last),
            None if self.held > FEW => self.close_holes(),
            None => {}
        }
    }

    /// Removes a pattern, in whatever spelling.
    pub(crate) fn remove(&mut self, pattern: &Pattern) -> Option<(Span, Seat)> {
        let place = self.find(pattern)?;
        if let Some(index) = &mut self.index {
            let hash = index.seeds.hash_one(pattern.canonical());
            if let Ok(entry) = index.places.find_entry(hash, |&known| known as usize == place) {
                entry.remove();
            }
        }
        let Resonance { span, seat } = self.places[place].take()?;
        self.held -= 1;
        if self.places.len() > 2 * self.held {
            self.close_holes();
        }
        Some((span, seat))
    }

    /// Removes every pattern that `goes` names, and gives what it was to `gone`. Returns how many.
    pub(crate) fn remove_all(
        &mut self,
        mut goes: impl FnMut(&Pattern) -> bool,
        mut gone: impl FnMut(Span, Seat),
    ) -> usize {
        let before = self.held;
        for place in &mut self.places {
            if let Some(one) = place.take_if(|one| goes(&one.span.pattern)) {
                gone(one.span, one.seat);
                self.held -= 1;
            }
        }
        if self.held < before {
            self.close_holes();
        }
        before - self.held
    }

    fn close_holes(&mut self) {
        self.places.retain(Option::is_some);
        self.index = (self.held > FEW).then(|| {
            let mut index = Box::<Index>::default();
            for place in 0..self.places.len() {
                index.add(&self.places, place);
            }
            index
        });
    }
}

impl Index {
    fn add(&mut self, places: &[Option<Resonance>], place: usize) {
        let hash = |place: usize| {
            let pattern = places[place].as_ref().map_or("", |one| one.span.pattern.canonical());
            self.seeds.hash_one(pattern)
        };
        self.places.insert_unique(hash(place), place as u32, |&place| hash(place as usize));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Limits;
    use crate::router::Router;

    fn pattern(number: usize) -> Pattern {
        let text = format!("a.p{number}.{}", if number % 3 == 0 { "*" } else { "b" });
        Pattern::parse(&text, Limits::DEFAULT).unwrap()
    }

    proptest! {
        /// What is there, and in which order, is as in a plain list.
        #[test]
        fn it_is_a_list(steps in prop::collection::vec((0..4u8, 0..120usize), 1..400)) {
            let (mut router, mut plain) = (Router::default(), Vec::new());
            let mut ours = Resonances::default();
            for (what, number) in steps {
                let given = pattern(number);
                match what {
                    0 | 1 => {
                        prop_assert_eq!(ours.contains(&given), plain.contains(&number));
                        if !plain.contains(&number) {
                            let pattern = given.clone();
                            let span = Span { pattern, start: 0, had_after: 0, born: 0, gone: None, last: false };
                            ours.push(span, router.insert(&given, 0));
                            plain.push(number);
                        }
                    }
                    2 => {
                        let known = plain.iter().position(|&known| known == number);
                        prop_assert_eq!(ours.remove(&given).is_some(), known.is_some());
                        known.map(|place| plain.remove(place));
                    }
                    _ => {
                        let goes = |known: usize| known % 7 == number % 7;
                        let before = plain.len();
                        plain.retain(|&known| !goes(known));
                        let named = |one: &Pattern| (0..120).any(|n| goes(n) && *one == pattern(n));
                        let gone = if number % 5 == 0 { ours.remove_all(named, |_, _| {}) } else {
                            let mut gone = 0;
                            for known in (0..120).filter(|&known| goes(known)) {
                                gone += usize::from(ours.remove(&pattern(known)).is_some());
                            }
                            gone
                        };
                        prop_assert_eq!(gone, before - plain.len());
                    }
                }
                let spelled: Vec<Pattern> = plain.iter().map(|&number| pattern(number)).collect();
                prop_assert_eq!(ours.iter().cloned().collect::<Vec<_>>(), spelled);
            }
        }
    }
}
