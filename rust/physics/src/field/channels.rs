//! The names of a field's channels, by number.

use std::collections::HashMap;
use std::sync::Arc;

use super::Place;

/// So many names are kept though no row refers to them.
const KEPT: usize = 1024;

/// The names at some moment.
#[derive(Clone, Debug)]
pub struct Names {
    pub by_number: Arc<[Arc<str>]>,
    /// How often they had got new numbers.
    pub renumbered: u32,
}

/// Numbers for names, from 0 on.
#[derive(Debug, Default)]
pub struct Channels {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    /// The names as they were shown last, while no other has come.
    shown: Option<Arc<[Arc<str>]>>,
    renumbered: u32,
}

impl Channels {
    /// The place of a name, which may be new.
    pub fn place(&mut self, name: &str) -> Place {
        let number = self.numbers.get(name).copied().unwrap_or_else(|| self.add(name));
        Place { number, renumbered: self.renumbered }
    }

    fn add(&mut self, name: &str) -> u32 {
        let (number, name) = (self.names.len() as u32, Arc::<str>::from(name));
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        self.shown = None;
        number
    }

    /// Whether a place is good still.
    #[inline]
    pub fn knows(&self, place: Place) -> bool {
        place.renumbered == self.renumbered
    }

    /// The names of now.
    pub fn names(&mut self) -> Names {
        let shown = self.shown.get_or_insert_with(|| self.names.as_slice().into());
        Names { by_number: Arc::clone(shown), renumbered: self.renumbered }
    }

    /// Forgets the names that are not used, if they are many. Then the others get new numbers, in the same
    /// order: those, by the old ones.
    pub fn forget_unused<I>(&mut self, used: impl FnOnce() -> I) -> Option<Vec<u32>>
    where
        I: Iterator<Item = u32>,
    {
        if self.names.len() <= KEPT {
            return None;
        }
        let mut numbers = vec![u32::MAX; self.names.len()];
        let mut left = 0;
        for number in used() {
            let known = &mut numbers[number as usize];
            left += usize::from(*known == u32::MAX);
            *known = 0;
        }
        if left > self.names.len() / 2 {
            return None;
        }
        self.numbers.clear();
        for (number, name) in numbers.iter_mut().zip(std::mem::take(&mut self.names)) {
            if *number == 0 {
                *number = self.names.len() as u32;
                self.numbers.insert(Arc::clone(&name), *number);
                self.names.push(name);
            }
        }
        self.shown = None;
        self.renumbered += 1;
        Some(numbers)
    }
}
