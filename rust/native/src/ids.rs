//! The ids of waves: which wave, and the text of it, which is made only when it is read.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;
use std::sync::Arc;

use aether_core::clock::Clock;
use parking_lot::RwLock;

use crate::fork;

/// Which wave: its id, without holding the wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaveId {
    /// Its number in this process, and the process, counted by forks.
    Local(u32, u64),
    /// The text that another process gave it.
    Foreign(Arc<str>),
}

impl WaveId {
    /// What `Wave.id` gives.
    pub fn text(&self) -> String {
        match self {
            Self::Local(generation, number) => Text::of(*generation, *number).as_str().to_owned(),
            Self::Foreign(text) => text.to_string(),
        }
    }

    /// The id with this text.
    pub fn parse(text: &str) -> Self {
        Own::now().parse(text)
    }
}

/// What the ids of this process begin with: to read many.
pub struct Own {
    generation: u32,
    prefix: u32,
    /// The id of number 0.
    first: Text,
}

impl Own {
    pub fn now() -> Self {
        let generation = fork::generation();
        let prefix = prefix(generation);
        Self { generation, prefix, first: Text::new(prefix, 0) }
    }

    /// The id with this text.
    pub fn parse(&self, text: &str) -> WaveId {
        let begin = &self.first.as_str()[..=PREFIX];
        let number = text.strip_prefix(begin).and_then(|rest| u64::from_str_radix(rest, 16).ok());
        // Others may write the same number in another way.
        match number.filter(|&number| Text::new(self.prefix, number).as_str() == text) {
            Some(number) => WaveId::Local(self.generation, number),
            None => WaveId::Foreign(text.into()),
        }
    }
}

/// How many digits the part has that tells processes apart.
const PREFIX: usize = 8;

/// The text of an id that this process has given, where it lies.
pub struct Text {
    bytes: [u8; PREFIX + 1 + 16],
    begin: usize,
}

impl Text {
    pub fn of(generation: u32, number: u64) -> Self {
        Self::new(prefix(generation), number)
    }

    fn new(prefix: u32, number: u64) -> Self {
        let mut text = Self { bytes: [b'-'; PREFIX + 1 + 16], begin: PREFIX + 1 + 16 };
        text.put(number, 1);
        text.begin -= 1;
        text.put(u64::from(prefix), PREFIX);
        text
    }

    /// Puts the digits of a number in front, at least so many.
    fn put(&mut self, mut number: u64, least: usize) {
        let mut digits = 0;
        while number > 0 || digits < least {
            self.begin -= 1;
            self.bytes[self.begin] = b"0123456789abcdef"[(number & 15) as usize];
            number >>= 4;
            digits += 1;
        }
    }

    pub fn as_str(&self) -> &str {
        // They are digits.
        std::str::from_utf8(&self.bytes[self.begin..]).unwrap_or_default()
    }
}

/// The part of an id that tells processes apart; a fork begins a new one.
fn prefix(generation: u32) -> u32 {
    static PREFIXES: RwLock<Vec<Option<u32>>> = RwLock::new(Vec::new());
    let place = generation as usize;
    if let Some(&Some(known)) = PREFIXES.read().get(place) {
        return known;
    }
    let mut prefixes = PREFIXES.write();
    if prefixes.len() <= place {
        prefixes.resize(place + 1, None);
    }
    *prefixes[place].get_or_insert_with(|| random() as u32)
}

/// A number that no other process has by chance.
pub fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(process::id());
    hasher.write_u64(Clock::System.unix().to_bits());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_formatting_makes_of_it() {
        for number in [0, 1, 9, 10, 15, 16, 0xabc, u64::from(u32::MAX), u64::MAX] {
            for prefix in [0, 0x1f, u32::MAX] {
                assert_eq!(Text::new(prefix, number).as_str(), format!("{prefix:08x}-{number:x}"));
            }
        }
    }

    #[test]
    fn what_is_read_is_written_the_same_again() {
        let own = Own::now();
        let local = Text::of(own.generation, 0x2a);
        assert_eq!(own.parse(local.as_str()), WaveId::Local(own.generation, 0x2a));
        let prefix = &local.as_str()[..PREFIX];
        for foreign in ["02a", "2A", "+2a", "", "10000000000000000"] {
            let text = format!("{prefix}-{foreign}");
            assert_eq!(own.parse(&text), WaveId::Foreign(text.as_str().into()));
            assert_eq!(own.parse(&text).text(), text);
        }
        assert_eq!(own.parse("other-2a"), WaveId::Foreign("other-2a".into()));
    }
}
