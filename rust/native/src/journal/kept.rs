//! A wave that was read from a journal, and is no Python object yet: it is taken off the reader's buffer by a
//! thread that is not attached.

use aether_core::medium::Emission;
use aether_core::wave::Strength;
use aether_journal::record::{Undone, Wave};

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
    pub undoes: Option<Box<KeptUndone>>,
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

/// What it says of the wave that it undoes.
pub struct KeptUndone {
    pub id: Box<str>,
    pub timestamp: f64,
    pub amplitude: f64,
    pub phase: f64,
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
            undoes: wave.undoes.map(|undone| {
                let Undone { id, time: timestamp, amplitude, phase } = undone;
                Box::new(KeptUndone { id: id.into(), timestamp, amplitude, phase })
            }),
            codec: wave.codec.0,
            payload: wave.payload.to_vec(),
            deliveries: 1,
            odd: odd_number(wave),
            texts: texts.into(),
            channel,
            source: wave.source.map(|source| channel + source.len()),
        }
    }

    /// As it is put into a mailbox; the lifetime is what is left of it. Who emitted it is known by name alone.
    pub fn emission(&self, lifetime: f64) -> Emission<'_> {
        let Strength { amplitude, priority, .. } = self.strength;
        let channel = self.channel();
        Emission {
            channel,
            amplitude,
            priority,
            lifetime,
            emitter: 0,
            inside: true,
            require: 0,
            weight: 0,
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
    let undone = wave.undoes.iter().flat_map(|undone| {
        let &Undone { time, amplitude, phase, .. } = undone;
        [
            ("timestamp of what it undoes", time, time.is_finite()),
            ("amplitude of what it undoes", amplitude, loud(amplitude)),
            ("phase of what it undoes", phase, phase.is_finite()),
        ]
    });
    let broken = rules.into_iter().chain(undone).find(|(_, _, sound)| !sound);
    broken.map(|(name, number, _)| (name, number))
}
