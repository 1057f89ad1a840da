//! A wave that was read from a journal, and is no Python object yet: it is taken off the reader's buffer by a
//! thread that is not attached.

use aether_core::wave::Strength;
use aether_journal::record::Wave;

/// What a record says, as a value of its own.
pub struct KeptWave {
    pub sequence: u64,
    pub timestamp: f64,
    pub strength: Strength,
    pub phase: f64,
    pub frequency: f64,
    /// Infinite: there is none.
    pub ttl: f64,
    /// Names and texts.
    pub headers: Vec<(Box<str>, Box<str>)>,
    pub codec: u8,
    pub payload: Vec<u8>,
    /// The so many-th time that its reader gets it.
    pub deliveries: u32,
    /// See [`odd_number`].
    pub odd: Option<(&'static str, f64)>,
    /// Channel, source and id in one.
    texts: Box<str>,
    channel: usize,
    /// Where the source ends; `None`: there is none.
    source: Option<usize>,
}

impl KeptWave {
    pub fn of(wave: &Wave<'_>) -> Self {
        let source = wave.source.unwrap_or_default();
        let texts = [wave.channel, source, wave.id].concat();
        let channel = wave.channel.len();
        let hops = u32::from(wave.hops);
        Self {
            sequence: wave.sequence,
            timestamp: wave.time,
            strength: Strength { amplitude: wave.amplitude, priority: wave.priority, hops },
            phase: wave.phase,
            frequency: wave.frequency,
            ttl: wave.ttl,
            headers: wave.headers.iter().map(|(name, text)| (name.into(), text.into())).collect(),
            codec: wave.codec.0,
            payload: wave.payload.to_vec(),
            deliveries: 1,
            odd: odd_number(wave),
            texts: texts.into(),
            channel,
            source: wave.source.map(|source| channel + source.len()),
        }
    }

    pub fn channel(&self) -> &str {
        &self.texts[..self.channel]
    }

    pub fn source(&self) -> Option<&str> {
        self.source.map(|end| &self.texts[self.channel..end])
    }

    pub fn id(&self) -> &str {
        &self.texts[self.source.unwrap_or(self.channel)..]
    }
}

/// The number of a wave that no medium would have written, by name: the record is sound, but who wrote it broke
/// the rules of waves.
pub fn odd_number(wave: &Wave<'_>) -> Option<(&'static str, f64)> {
    let &Wave { amplitude, priority, time, phase, frequency, ttl, .. } = wave;
    let loud = |loudness: f64| (0.0..=1.0).contains(&loudness);
    let rules = [
        ("amplitude", amplitude, loud(amplitude)),
        ("priority", priority, loud(priority)),
        ("timestamp", time, time.is_finite()),
        ("phase", phase, phase.is_finite()),
        ("frequency", frequency, frequency.is_finite() && frequency >= 0.0),
        ("ttl", ttl, ttl >= 0.0),
    ];
    rules.into_iter().find(|(_, _, sound)| !sound).map(|(name, number, _)| (name, number))
}
