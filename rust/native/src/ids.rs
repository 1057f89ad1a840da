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
            Self::Local(generation, number) => local(*generation, *number),
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
    prefix: String,
}

impl Own {
    pub fn now() -> Self {
        let generation = fork::generation();
        Self { generation, prefix: prefix(generation) }
    }

    /// The id with this text.
    pub fn parse(&self, text: &str) -> WaveId {
        let own = text.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix('-'));
        match own.and_then(|number| u64::from_str_radix(number, 16).ok()) {
            Some(number) => WaveId::Local(self.generation, number),
            None => WaveId::Foreign(text.into()),
        }
    }
}

/// The text of the id that this process has given.
pub fn local(generation: u32, number: u64) -> String {
    format!("{}-{number:x}", prefix(generation))
}

/// The part of an id that tells processes apart; a fork begins a new one.
fn prefix(generation: u32) -> String {
    static PREFIXES: RwLock<Vec<Option<String>>> = RwLock::new(Vec::new());
    let place = generation as usize;
    if let Some(Some(known)) = PREFIXES.read().get(place) {
        return known.clone();
    }
    let mut prefixes = PREFIXES.write();
    if prefixes.len() <= place {
        prefixes.resize(place + 1, None);
    }
    prefixes[place].get_or_insert_with(|| format!("{:08x}", random() as u32)).clone()
}

/// A number that no other process has by chance.
pub fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(process::id());
    hasher.write_u64(Clock::System.unix().to_bits());
    hasher.finish()
}
