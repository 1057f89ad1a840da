//! What is written is what is read.

use crate::support::{HEADER, Plain, plain, segment_of};
use aether_journal::append::End;
use aether_journal::record::{
    Encoded, HeaderBytes, Headers, MAX_BODY, Record, Removed, Undone, Unfit, Wave,
};
use aether_journal::scan::{Found, Scan};
use proptest::prelude::*;

fn any_plain() -> impl Strategy<Value = Plain> {
    let numbers = prop::array::uniform6(any::<u64>());
    let headers = prop::collection::vec((".{0,9}", ".{0,9}"), 0..4);
    let undoes = prop::option::of((".{0,20}", prop::array::uniform3(any::<u64>())));
    let payload = prop::collection::vec(any::<u8>(), 0..200);
    (
        ".{0,20}",
        prop::option::of(".{0,9}"),
        ".{0,20}",
        numbers,
        any::<u16>(),
        (headers, undoes),
        any::<u8>(),
        payload,
    )
        .prop_map(|(channel, source, id, numbers, hops, (headers, undoes), codec, payload)| {
            Plain { channel, source, id, numbers, hops, headers, undoes, codec, payload }
        })
}

proptest! {
    #[test]
    fn waves_come_back_bit_for_bit(waves in prop::collection::vec(any_plain(), 0..20)) {
        let (bytes, written, _) = segment_of(&HEADER, &waves);
        let mut scan = Scan::new(&bytes[..], &HEADER);
        let mut read = Vec::new();
        while let Some(found) = scan.next().expect("memory has no faults") {
            match found {
                Found::Record { record, .. } => read.extend(plain(&record)),
                Found::Damage(range) => prop_assert!(false, "{range:?} is damaged"),
            }
        }
        prop_assert_eq!(read, written);
        prop_assert_eq!(scan.offset(), bytes.len() as u64);
    }
}

#[test]
fn notes_come_back_between_waves() {
    let removed = Removed { first: 2, last: 4 };
    let mut bytes = HEADER.encoded().to_vec();
    let mut end = End::new(&HEADER);
    bytes.extend(end.note(&mut Encoded::removed(removed)));
    bytes.extend(end.wave(&mut crate::support::wave(b"one").encoded()));
    bytes.extend(end.note(&mut Encoded::acknowledged(1.5, "billing", b"state")));
    bytes.extend(end.again(&mut crate::support::wave(b"two").encoded(), 9));
    bytes.extend(end.note(&mut Encoded::seal()));
    assert_eq!(end.next(), 10);
    let mut scan = Scan::new(&bytes[..], &HEADER);
    let mut told = Vec::new();
    while let Some(Found::Record { record, .. }) = scan.next().expect("memory has no faults") {
        told.push(match record {
            Record::Wave(wave) => format!("{} {}", wave.sequence, wave.payload.len()),
            other => format!("{other:?}"),
        });
    }
    let acknowledged =
        "Acknowledged { sequence: 5, cursor: \"billing\", state: [115, 116, 97, 116, 101] }";
    assert_eq!(
        told,
        [
            "Removed(Removed { first: 2, last: 4 })",
            "5 3",
            acknowledged,
            "9 3",
            "Seal { sequence: 9 }"
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let long = "a".repeat(65_536);
    let refused = |plain: Plain| {
        let wave = Wave { channel: &plain.channel, payload: &plain.payload, ..empty() };
        Encoded::wave(&wave).map(|encoded| encoded.size()).expect_err("too large")
    };
    let wide = refused(Plain { channel: long, ..crate::support::wave(b"") });
    assert_eq!(wide, Unfit::Long { what: "channel", length: 65_536 });
    for length in [0, 1, 65_535] {
        let fits = "a".repeat(length);
        assert!(
            Encoded::wave(&Wave { channel: &fits, source: Some(&fits), id: &fits, ..empty() })
                .is_ok()
        );
    }
    let longer = "a".repeat(70_000);
    let long = |what, wave: Wave<'_>| {
        assert_eq!(Encoded::wave(&wave).err(), Some(Unfit::Long { what, length: 70_000 }));
    };
    long("source", Wave { source: Some(&longer), ..empty() });
    long("id", Wave { id: &longer, ..empty() });
    let undone = Undone { id: &longer, time: 0.0, amplitude: 1.0, phase: 0.0 };
    long("id of what it undoes", Wave { undoes: Some(undone), ..empty() });
}

#[test]
fn one_that_is_too_large_says_how_many_bytes_it_has() {
    // Nothing of it is copied.
    let payload = vec![0; MAX_BODY];
    let headers = HeaderBytes::new([("trace", "1"), ("user", "ada")]);
    let undone = Undone { id: "o-12", time: 0.0, amplitude: 1.0, phase: 0.0 };
    let wave = Wave {
        channel: "orders.created",
        source: Some("shop"),
        id: "p-1",
        headers: headers.view(),
        undoes: Some(undone),
        payload: &payload,
        ..empty()
    };
    // Texts; four numbers and how many headers; headers; what it undoes.
    let beside = (14 + 4 + 3) + (4 * 8 + 4) + (2 * 8 + 5 + 1 + 4 + 3) + (3 * 8 + 4 + 4);
    assert_eq!(Encoded::wave(&wave).err(), Some(Unfit::Large(MAX_BODY + beside)));
    let bare = Wave { channel: "", payload: &payload[..MAX_BODY - 35], ..empty() };
    assert_eq!(Encoded::wave(&bare).err(), Some(Unfit::Large(MAX_BODY + 1)));
}

fn empty() -> Wave<'static> {
    Wave {
        sequence: 0,
        time: 0.0,
        channel: "a",
        source: None,
        id: "",
        amplitude: 1.0,
        priority: 1.0,
        phase: 0.0,
        frequency: 1.0,
        ttl: f64::INFINITY,
        hops: 0,
        headers: Headers::default(),
        undoes: None,
        codec: aether_journal::record::Codec(0),
        payload: &[],
    }
}

#[test]
fn the_greatest_number_is_the_sequence_of_no_wave() {
    let mut bytes = HEADER.encoded().to_vec();
    let mut end = End::new(&HEADER);
    for sequence in [u64::MAX - 1, u64::MAX] {
        bytes.extend(end.again(&mut crate::support::wave(b"one").encoded(), sequence));
    }
    let mut scan = Scan::new(&bytes[..], &HEADER);
    let mut is_wave = || match scan.next().expect("memory has no faults") {
        Some(Found::Record { record, .. }) => {
            (matches!(record, Record::Wave(_)), record.sequence())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((is_wave(), is_wave()), ((true, u64::MAX - 1), (false, u64::MAX)));
}
