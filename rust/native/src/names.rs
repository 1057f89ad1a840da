//! The names that were emitted on lately, by the address of their `str`: a program emits on few names, and
//! mostly by the same objects, so that neither the text is read nor its route searched for.

use aether_core::router::Hint;
use pyo3::prelude::*;

/// How many names are remembered, at first and at most.
const NAMES: (usize, usize) = (256, 32_768);

/// A name that was emitted on, remembered by the address of its `str`, which it keeps alive.
pub struct Name {
    pub given: Py<PyAny>,
    /// Its `Channel`, made when somebody hears it.
    pub channel: Option<Py<PyAny>>,
    /// Where its route was found.
    pub hint: Hint,
    /// Whether somebody may hear it, as far as the last emission could tell.
    pub heard: bool,
}

/// What is known by the address of a name.
pub trait Known {
    /// The name, which is kept alive.
    fn given(&self) -> &Py<PyAny>;
}

impl Known for Name {
    #[inline]
    fn given(&self) -> &Py<PyAny> {
        &self.given
    }
}

/// The names of a medium.
pub type Names = Table<Name>;

/// A table by address: two places for each, the newcomer pushes the older one out. It grows while newcomers
/// keep pushing others out.
pub struct Table<K> {
    places: Vec<Option<K>>,
    pushed_out: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { places: Vec::new(), pushed_out: 0 }
    }
}

impl<K: Known> Table<K> {
    /// What is remembered of a name.
    #[inline]
    pub fn get(&mut self, name: &Bound<'_, PyAny>) -> Option<&mut K> {
        let first = place(name.as_ptr() as usize, self.places.len());
        let pair = self.places.get_mut(first..first + 2)?;
        pair.iter_mut().flatten().find(|known| known.given().is(name))
    }

    /// Remembers a name, and returns those that are forgotten, to be dropped afterwards.
    pub fn learn(&mut self, learned: K) -> Vec<K> {
        let mut forgotten = Vec::new();
        if self.places.is_empty() {
            self.places.resize_with(NAMES.0, || None);
        } else if self.pushed_out > self.places.len() / 4 && self.places.len() < NAMES.1 {
            self.pushed_out = 0;
            let size = self.places.len() * 2;
            let known = std::mem::take(&mut self.places);
            self.places.resize_with(size, || None);
            for name in known.into_iter().flatten() {
                forgotten.extend(self.put(name));
            }
        }
        forgotten.extend(self.put(learned));
        self.pushed_out += forgotten.len();
        forgotten
    }

    fn put(&mut self, name: K) -> Option<K> {
        let first = place(name.given().as_ptr() as usize, self.places.len());
        let again = |known: &Option<K>| known.as_ref().is_some_and(|k| k.given().is(name.given()));
        if again(&self.places[first + 1]) {
            return self.places[first + 1].replace(name);
        }
        let replaced = again(&self.places[first]);
        let newer = self.places[first].replace(name);
        if replaced { newer } else { newer.and_then(|newer| self.places[first + 1].replace(newer)) }
    }
}

/// The first of the two places of an address, in a table of a power of two. Objects are aligned to 16 bytes.
#[inline]
fn place(address: usize, size: usize) -> usize {
    ((address >> 4) ^ (address >> 16)) & size.wrapping_sub(1) & !1
}
