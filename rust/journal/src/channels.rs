//! Which channels occur in a segment: their names while these are few, afterwards a Bloom filter.
//!
//! The filter takes in every front part of a name that ends with a token (`a`, `a.b` and `a.b.c` of `a.b.c`). So a
//! pattern is asked for by its tokens before the first wildcard; one that begins with a wildcard may always be there.
//! The hash is FNV-1a of 64 bits: its lower half, and that plus its upper half once, twice and thrice, are the numbers
//! of the bits.

use std::collections::BTreeSet;

use aether_core::channel::Pattern;

use crate::bytes::{cut, cut_u16, cut_u32, cut_u64};

/// How many bytes of names are kept, with two more for the length of each.
const NAMES: usize = 64 * 1024;

/// The words of the filter.
const WORDS: usize = 1 << 15;

/// How many bits a name sets.
const BITS: u64 = 4;

/// Which channels occur.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Channels {
    /// These alone; and how many bytes they take.
    Names(BTreeSet<Box<str>>, usize),
    /// Those whose front parts are in it, and perhaps others.
    Filter(Box<[u64]>),
}

impl Default for Channels {
    fn default() -> Self {
        Self::Names(BTreeSet::new(), 0)
    }
}

impl Channels {
    pub(crate) fn add(&mut self, channel: &str) {
        match self {
            Self::Names(names, size) => {
                if names.contains(channel) {
                    return;
                }
                *size += channel.len() + 2;
                names.insert(channel.into());
                if *size > NAMES {
                    let mut words = vec![0; WORDS].into_boxed_slice();
                    for name in &*names {
                        set(&mut words, name);
                    }
                    *self = Self::Filter(words);
                }
            }
            Self::Filter(words) => set(words, channel),
        }
    }

    /// Whether there may be a channel that this takes; false: there is none.
    pub(crate) fn may_have(&self, pattern: &Pattern) -> bool {
        match self {
            Self::Names(names, _) => names.iter().any(|name| pattern.matches(name)),
            Self::Filter(words) => {
                let literal = |token: &&str| !matches!(*token, "+" | ">");
                let front: Vec<&str> = pattern.canonical().split('.').take_while(literal).collect();
                let hash = prefixes(&front.join(".")).last();
                front.is_empty()
                    || hash.is_none_or(|hash| bits(hash).all(|(word, bit)| words[word] & bit != 0))
            }
        }
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Names(names, _) => {
                bytes.extend((names.len() as u32).to_le_bytes());
                for name in names {
                    bytes.extend((name.len() as u16).to_le_bytes());
                    bytes.extend(name.as_bytes());
                }
            }
            Self::Filter(words) => {
                bytes.extend(u32::MAX.to_le_bytes());
                words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            }
        }
    }

    pub(crate) fn cut(left: &mut &[u8]) -> Option<Self> {
        let count = cut_u32(left)?;
        if count == u32::MAX {
            let words: Option<Box<[u64]>> = (0..WORDS).map(|_| cut_u64(left)).collect();
            return words.map(Self::Filter);
        }
        let mut channels = Self::default();
        for _ in 0..count {
            let length = cut_u16(left)?;
            channels.add(std::str::from_utf8(cut(left, length.into())?).ok()?);
        }
        Some(channels)
    }
}

fn set(words: &mut [u64], channel: &str) {
    for hash in prefixes(channel) {
        bits(hash).for_each(|(word, bit)| words[word] |= bit);
    }
}

/// The hash of each front part of a name.
fn prefixes(channel: &str) -> impl Iterator<Item = u64> + '_ {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    channel.bytes().map(Some).chain([None]).filter_map(move |byte| {
        let before = hash;
        if let Some(byte) = byte {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        matches!(byte, None | Some(b'.')).then_some(before)
    })
}

/// The bits of a hash: words of the filter, and one bit in each.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let (lower, upper) = (hash & 0xffff_ffff, (hash >> 32) | 1);
    (0..BITS).map(move |number| {
        let bit = lower.wrapping_add(number.wrapping_mul(upper)) % (64 * WORDS as u64);
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use aether_core::channel::Limits;
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Limits::DEFAULT).expect("a pattern")
    }

    #[test]
    fn a_filter_tells_most_channels_apart() {
        let mut channels = Channels::default();
        for job in 0..20_000 {
            channels.add(&format!("progress.{job}.done"));
        }
        assert!(matches!(channels, Channels::Filter(_)));
        let has = |text: &str| channels.may_have(&pattern(text));
        assert!(
            has("progress.7.done") && has("progress.*") && has("*.7.done") && has("progress.+.x")
        );
        assert!(!has("orders.*") && !has("orders") && !has("progress.7.begun"));
        let wrong = (20_000..30_000).filter(|job| has(&format!("progress.{job}.*"))).count();
        assert!(wrong < 100, "{wrong} of 10000");
    }

    /// As `docs/journal-format.md` says it, for whoever reads the filter without this crate.
    #[test]
    fn the_bits_of_a_filter_are_those_of_its_format() {
        let names = ["orders.created", "a", "a.b", "\u{e9}t\u{e9}.1"];
        let mut words = vec![0_u64; 32_768];
        for front in ["orders", "orders.created", "a", "a.b", "\u{e9}t\u{e9}", "\u{e9}t\u{e9}.1"] {
            let fnv =
                |hash: u128, byte: u8| ((hash ^ u128::from(byte)) * 1_099_511_628_211) % (1 << 64);
            let hash = front.bytes().fold(14_695_981_039_346_656_037, fnv);
            let (lower, upper) = (hash % (1 << 32), hash / (1 << 32));
            let odd = if upper % 2 == 0 { upper + 1 } else { upper };
            for times in 0..4 {
                let number = (lower + times * odd) % 2_097_152;
                words[(number / 64) as usize] |= 1 << (number % 64);
            }
        }
        let mut channels = Channels::Filter(vec![0; WORDS].into());
        for name in names {
            channels.add(name);
        }
        let mut bytes = u32::MAX.to_le_bytes().to_vec();
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let mut encoded = Vec::new();
        channels.encode(&mut encoded);
        assert!(encoded == bytes, "other bits than the format says");
    }

    #[test]
    fn names_are_kept_as_long_as_they_are_few() {
        let mut channels = Channels::default();
        // Each takes 64 bytes with its length.
        for job in 0..NAMES / 64 {
            channels.add(&format!("{job:062}"));
            channels.add(&format!("{job:062}"));
        }
        assert!(matches!(channels, Channels::Names(..)));
        channels.add("a");
        assert!(matches!(channels, Channels::Filter(_)));
    }

    proptest! {
        #[test]
        fn what_was_added_is_never_denied(
            names in prop::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){0,2}", 1..20),
            texts in prop::collection::vec("([ab]{1,2}|\\+)(\\.([ab]{1,2}|\\*)){0,2}", 1..20),
            full in any::<bool>(),
        ) {
            let mut channels = Channels::default();
            if full {
                channels = Channels::Filter(vec![0; WORDS].into());
            }
            for name in &names {
                channels.add(name);
            }
            let mut bytes = Vec::new();
            channels.encode(&mut bytes);
            let mut left = &bytes[..];
            let cut = Channels::cut(&mut left);
            prop_assert_eq!(cut.as_ref(), Some(&channels));
            prop_assert!(left.is_empty());
            for text in &texts {
                let pattern = pattern(text);
                let there = names.iter().any(|name| pattern.matches(name));
                prop_assert!(channels.may_have(&pattern) || !there, "{}", text);
                prop_assert!(full || channels.may_have(&pattern) == there, "{}", text);
            }
        }
    }
}
