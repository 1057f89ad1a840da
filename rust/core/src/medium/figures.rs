//! What a medium has counted, by the names of its vibrators: for who watches it from outside.
//!
//! Contract:
//! - Nothing is kept before [`Medium::count_by_name`]; then so many names have counts of their own, in the order in which
//!   they came, and keep them when their mailboxes are gone: so no count ever falls, and there are never more. All other
//!   names share those of [`OTHER`], and so does a vibrator of that very name.
//! - [`Medium::figures`] is one critical section, of a few loads for each mailbox: all its numbers are of one moment.
//!   What is expired or faded counts as waiting until somebody comes by it.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Medium, MediumStatistics, Sender, State};
use crate::reason::Tally;
use crate::router::{Domains, OTHER};
use crate::seeds::Seeds;
use crate::sync::RawLock;

/// Counters of all mailboxes of one name.
#[derive(Clone, Debug)]
pub struct NameFigures {
    /// The label of the vibrators.
    pub name: Arc<str>,
    /// Mailboxes now.
    pub mailboxes: u64,
    /// Waves that wait now.
    pub waiting: u64,
    /// How many those hold that resonate on something, or have waves: a mailbox beside handlers may do neither, and is
    /// no room for waves then.
    pub size: u64,
    /// Readers that wait now.
    pub readers: u64,
    /// Emissions that stand in their line now.
    pub emissions: u64,
    /// Waves taken, ever.
    pub received: u64,
    /// Waves let go, ever.
    pub dropped: Tally,
}

/// Counters of a medium, and of its vibrators by their names.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Of all together.
    pub medium: MediumStatistics,
    /// Waves admitted, and delivered where they are delivered later, by the first token of their channels.
    pub domains: Vec<(Box<str>, u64)>,
    /// By name, those that share one first.
    pub names: Vec<NameFigures>,
}

/// The names that have counts of their own, and what their mailboxes that are gone have counted.
#[derive(Debug)]
pub(super) struct Names {
    most: usize,
    numbers: HashMap<Arc<str>, u32, Seeds>,
    gone: Vec<Gone>,
}

#[derive(Debug)]
struct Gone {
    name: Arc<str>,
    received: u64,
    dropped: Tally,
}

impl Gone {
    fn of(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), received: 0, dropped: Tally::default() }
    }
}

impl Names {
    fn new(most: usize) -> Self {
        let other: Arc<str> = Arc::from(OTHER);
        let gone = vec![Gone::of(&other)];
        Self { most, numbers: HashMap::from_iter([(other, 0)]), gone }
    }

    /// The number under which a name is counted.
    pub(super) fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        if self.numbers.len() > self.most {
            return 0;
        }
        let number = self.gone.len() as u32;
        self.numbers.insert(Arc::clone(name), number);
        self.gone.push(Gone::of(name));
        number
    }

    /// A mailbox is gone.
    pub(super) fn retire(&mut self, number: u32, received: u64, dropped: &Tally) {
        let gone = &mut self.gone[number as usize];
        gone.received += received;
        gone.dropped.merge(dropped);
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Counts by name from now on: so many domains apart, and so many names of mailboxes. There are no mailboxes yet.
    pub fn count_by_name(&self, domains: usize, names: usize) {
        let mut state = self.lock();
        state.counted.domains = Some(Box::new(Domains::new(domains)));
        state.names = Some(Box::new(Names::new(names)));
    }

    /// All counters now; without names if they are not counted by name.
    pub fn figures(&self) -> Figures {
        let state = self.lock();
        let (medium, names) = (state.statistics(), state.names());
        let domains =
            state.counted.domains.as_ref().map_or_else(Vec::new, |domains| domains.counts());
        Figures { medium, domains, names }
    }
}

impl<T, W> State<T, W> {
    fn names(&self) -> Vec<NameFigures> {
        let Some(names) = &self.names else { return Vec::new() };
        let begun = |gone: &Gone| NameFigures {
            name: Arc::clone(&gone.name),
            mailboxes: 0,
            waiting: 0,
            size: 0,
            readers: 0,
            emissions: 0,
            received: gone.received,
            dropped: gone.dropped,
        };
        let mut all: Vec<_> = names.gone.iter().map(begun).collect();
        for (_, mailbox) in self.boxes.iter() {
            let figures = &mut all[mailbox.counted_as() as usize];
            figures.mailboxes += 1;
            figures.waiting += mailbox.len() as u64;
            if !mailbox.patterns().is_empty() || mailbox.len() > 0 {
                figures.size += mailbox.capacity() as u64;
            }
            figures.readers += mailbox.waiters.len() as u64;
            figures.received += mailbox.received;
            figures.dropped.merge(mailbox.lost());
        }
        for full in self.senders.values().filter_map(Sender::waits_at) {
            if let Some(mailbox) = self.boxes.at(full) {
                all[mailbox.counted_as() as usize].emissions += 1;
            }
        }
        all
    }
}
