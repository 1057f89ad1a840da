//! Segments in memory, and what stands in them.

use aether_journal::append::End;
use aether_journal::header::Header;
use aether_journal::record::{Codec, Encoded, HeaderBytes, Headers, Record, Undone, Wave};

pub const HEADER: Header =
    Header { identity: *b"a segment's own.", journal: 77, base: 5, rewritten: 0, created: 1.7e9 };

/// A wave as its parts, for comparing.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    pub channel: String,
    pub source: Option<String>,
    pub id: String,
    /// Time, amplitude, priority, phase, frequency, ttl.
    pub numbers: [u64; 6],
    pub hops: u16,
    pub headers: Vec<(String, String)>,
    /// What it undoes: the id, and time, amplitude, phase.
    pub undoes: Option<(String, [u64; 3])>,
    pub codec: u8,
    pub payload: Vec<u8>,
}

impl Plain {
    pub fn encoded(&self) -> Encoded {
        let headers = self.headers.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let headers = HeaderBytes::new(headers);
        let [time, amplitude, priority, phase, frequency, ttl] = self.numbers.map(f64::from_bits);
        let undoes = self.undoes.as_ref().map(|(id, numbers)| {
            let [time, amplitude, phase] = numbers.map(f64::from_bits);
            Undone { id, time, amplitude, phase }
        });
        let wave = Wave {
            sequence: 0,
            time,
            channel: &self.channel,
            source: self.source.as_deref(),
            id: &self.id,
            amplitude,
            priority,
            phase,
            frequency,
            ttl,
            hops: self.hops,
            headers: headers.view(),
            undoes,
            codec: Codec(self.codec),
            payload: &self.payload,
        };
        Encoded::wave(&wave).expect("it fits")
    }
}

/// The wave of a record, with its sequence.
pub fn plain(record: &Record<'_>) -> Option<(u64, Plain)> {
    let Record::Wave(wave) = record else { return None };
    let numbers = [wave.time, wave.amplitude, wave.priority, wave.phase, wave.frequency, wave.ttl]
        .map(f64::to_bits);
    let headers = |headers: Headers<'_>| {
        headers.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let undoes = |undone: Undone<'_>| {
        let numbers = [undone.time, undone.amplitude, undone.phase].map(f64::to_bits);
        (undone.id.to_owned(), numbers)
    };
    let plain = Plain {
        channel: wave.channel.to_owned(),
        source: wave.source.map(str::to_owned),
        id: wave.id.to_owned(),
        numbers,
        hops: wave.hops,
        headers: headers(wave.headers),
        undoes: wave.undoes.map(undoes),
        codec: wave.codec.0,
        payload: wave.payload.to_vec(),
    };
    Some((wave.sequence, plain))
}

/// A plain wave with this payload.
pub fn wave(payload: &[u8]) -> Plain {
    let numbers = [1.7e9, 0.5, 0.5, 0.0, 1.0, f64::INFINITY].map(f64::to_bits);
    Plain {
        channel: "orders.created".into(),
        source: None,
        id: "p-1".into(),
        numbers,
        hops: 1,
        headers: vec![],
        undoes: None,
        codec: 2,
        payload: payload.to_vec(),
    }
}

/// The bytes of a segment, its waves with their sequences, and where each record ends.
pub type Segment = (Vec<u8>, Vec<(u64, Plain)>, Vec<u64>);

/// A segment of these waves.
pub fn segment_of(header: &Header, waves: &[Plain]) -> Segment {
    let mut bytes = header.encoded().to_vec();
    let (mut end, mut written, mut ends) = (End::new(header), Vec::new(), Vec::new());
    for wave in waves {
        written.push((end.next(), wave.clone()));
        bytes.extend(end.wave(&mut wave.encoded()));
        assert_eq!(end.offset(), bytes.len() as u64);
        ends.push(end.offset());
    }
    (bytes, written, ends)
}

/// So many waves of all sizes, and with all parts.
pub fn waves(count: usize) -> Vec<Plain> {
    (0..count)
        .map(|number| {
            let payload: Vec<u8> = (0..number * 7 % 50).map(|byte| byte as u8).collect();
            let mut wave = wave(&payload);
            if number % 2 == 1 {
                wave.source = Some("shop".into());
                wave.headers =
                    vec![("trace".into(), format!("{number}")), (String::new(), "\u{e9}".into())];
            }
            if number % 3 == 1 {
                wave.numbers = [1.5e9, 0.25, 0.75, 1.5, 50.0, 3.0].map(f64::to_bits);
                wave.hops = 7;
            }
            wave
        })
        .collect()
}
