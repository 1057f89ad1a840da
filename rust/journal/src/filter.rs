//! Which waves are wanted, asked of their records: no payload is decoded.

use aether_core::channel::Pattern;

use crate::record::Wave;

/// Which waves are wanted: those that fit everything that is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of channels that this takes.
    pub pattern: Option<Pattern>,
    /// With greater sequences.
    pub after: Option<u64>,
    /// With lesser sequences.
    pub before: Option<u64>,
    /// Made then or later, in Unix seconds.
    pub since: Option<f64>,
    /// Made earlier, in Unix seconds.
    pub until: Option<f64>,
    /// Of this amplitude or more.
    pub amplitude: Option<f64>,
    /// Of this source.
    pub source: Option<String>,
    /// With all of these headers.
    pub headers: Vec<(String, String)>,
}

impl Filter {
    /// Whether a wave is wanted. What is not said fits all; a NaN on either side fits nothing.
    #[inline]
    pub fn takes(&self, wave: &Wave<'_>) -> bool {
        let pattern = self.pattern.as_ref();
        self.takes_but_channel(wave) && pattern.is_none_or(|pattern| pattern.matches(wave.channel))
    }

    /// The same for all but the pattern.
    #[inline]
    fn takes_but_channel(&self, wave: &Wave<'_>) -> bool {
        let Self { pattern: _, after, before, since, until, amplitude, source, headers } = self;
        after.is_none_or(|after| wave.sequence > after)
            && before.is_none_or(|before| wave.sequence < before)
            && since.is_none_or(|since| wave.time >= since)
            && until.is_none_or(|until| wave.time < until)
            && amplitude.is_none_or(|amplitude| wave.amplitude >= amplitude)
            && source.as_ref().is_none_or(|source| wave.source == Some(source))
            && headers.iter().all(|(name, text)| wave.headers.get(name) == Some(text))
    }
}

/// A filter that remembers which channels its pattern takes: there are many waves, and few channels among them.
#[derive(Debug)]
pub(crate) struct Selector {
    filter: Filter,
    /// All waves are taken: the filter says only where to look.
    all: bool,
    /// Channels, each at the place that its bytes give, and whether they are taken.
    seen: Vec<(Box<str>, bool)>,
}

/// How many channels are remembered, at most.
const SEEN: usize = 256;

impl Selector {
    pub(crate) fn new(filter: Filter) -> Self {
        let seen = if filter.pattern.is_some() { SEEN } else { 0 };
        Self { filter, all: false, seen: vec![(Box::default(), false); seen] }
    }

    /// One that takes all waves, where the filter has them looked for.
    pub(crate) fn all_within(filter: Filter) -> Self {
        Self { filter, all: true, seen: Vec::new() }
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// As [`Filter::takes`].
    #[inline]
    pub(crate) fn takes(&mut self, wave: &Wave<'_>) -> bool {
        if self.all {
            return true;
        }
        let Some(pattern) = &self.filter.pattern else {
            return self.filter.takes_but_channel(wave);
        };
        let place = place(wave.channel.as_bytes());
        let taken = match self.seen.get_mut(place) {
            Some((channel, taken)) if **channel == *wave.channel => *taken,
            Some(seen) => {
                let taken = pattern.matches(wave.channel);
                *seen = (wave.channel.into(), taken);
                taken
            }
            None => pattern.matches(wave.channel),
        };
        taken && self.filter.takes_but_channel(wave)
    }
}

/// By the length of a name, its first and its last bytes.
#[inline]
fn place(channel: &[u8]) -> usize {
    let mut first = [0; 8];
    first.iter_mut().zip(channel).for_each(|(first, byte)| *first = *byte);
    let last = channel.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
    let all = u64::from_le_bytes(first) ^ last.rotate_left(29) ^ channel.len() as u64;
    (all.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aether_core::channel::Limits;

    use super::*;
    use crate::record::HeaderBytes;

    #[test]
    fn channels_that_differ_in_a_byte_have_places_of_their_own() {
        for length in [2, 5, 8, 12, 30] {
            let places = |at: usize| {
                let mut name = vec![b'x'; length];
                let places = (b'0'..=b'z').map(|byte| {
                    name[at] = byte;
                    place(&name)
                });
                let places = places.inspect(|place| assert!(*place < SEEN));
                places.collect::<BTreeSet<usize>>().len()
            };
            let ends = (0..length).filter(|at| *at < 8 || length - at <= 8);
            let fewest = ends.map(places).min().expect("no name is empty");
            // Of 75; at random it would be 65.
            assert!(fewest > 45, "{fewest} places for names of {length} bytes");
        }
    }

    #[test]
    fn each_condition_takes_and_refuses() {
        let headers = HeaderBytes::new([("trace", "7"), ("user", "ada")]);
        let wave = Wave {
            sequence: 10,
            time: 100.0,
            source: Some("shop"),
            amplitude: 0.5,
            headers: headers.view(),
            ..Wave::plain("orders.created", &[])
        };
        let pattern = |name| Pattern::parse(name, Limits::default()).ok();
        let none = Filter::default;
        let pair = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        let taken = [
            none(),
            Filter { pattern: pattern("orders.*"), ..none() },
            Filter { after: Some(9), before: Some(11), ..none() },
            Filter { since: Some(100.0), until: Some(100.5), ..none() },
            Filter { amplitude: Some(0.5), ..none() },
            Filter { source: Some("shop".into()), ..none() },
            Filter { headers: pair("user", "ada"), ..none() },
        ];
        let refused = [
            Filter { pattern: pattern("orders"), ..none() },
            Filter { after: Some(10), ..none() },
            Filter { before: Some(10), ..none() },
            Filter { since: Some(100.5), ..none() },
            Filter { until: Some(100.0), ..none() },
            Filter { since: Some(f64::NAN), ..none() },
            Filter { amplitude: Some(0.75), ..none() },
            Filter { source: Some("shop2".into()), ..none() },
            Filter { headers: pair("user", "bob"), ..none() },
            Filter { headers: pair("none", ""), ..none() },
        ];
        let both = |filter: &Filter| {
            let mut selector = Selector::new(filter.clone());
            let first = filter.takes(&wave);
            assert_eq!([selector.takes(&wave), selector.takes(&wave)], [first; 2], "{filter:?}");
            first
        };
        for filter in taken {
            assert!(both(&filter), "{filter:?}");
        }
        for filter in refused {
            assert!(!both(&filter), "{filter:?}");
        }
        // More channels than are remembered.
        let filter = Filter { pattern: pattern("*.1"), ..none() };
        let mut selector = Selector::new(filter.clone());
        for number in (0..3_000).chain(0..3_000) {
            let channel = format!("{}.{}", "c".repeat(number % 11 + 1), number % 700);
            let wave = Wave::plain(&channel, &[]);
            assert_eq!(selector.takes(&wave), filter.takes(&wave), "{channel}");
        }
        let nameless = Wave { source: None, ..wave };
        assert!(!Filter { source: Some(String::new()), ..none() }.takes(&nameless));
    }
}
