//! The medium, its journal and the oracle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aether_core::mailbox::{Order, Overflow, Spec};
use aether_core::medium::{
    Bounds, Emission, Hungry, Key, Most, Phase, Read, Refilled, Reserved, Take,
};

use super::program::{Step, takes};
use super::support::{After, Carrier, Item, Rig, faint, pattern, spec, weigh};

/// A wave of the journal.
#[derive(Clone, Copy, Debug)]
struct Wave {
    sequence: u64,
    channel: &'static str,
    amplitude: f64,
}

/// A pattern that a mailbox resonates on.
#[derive(Clone, Debug)]
struct Tuned {
    text: &'static str,
    /// It began with the wave after this one.
    after: u64,
    /// Whether that is exact: no emission was out when it was made, or the journal was asked.
    exact: bool,
    /// Whether the journal was asked.
    replay: bool,
    /// When, in steps.
    made: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Open,
    Closing,
    Closed,
}

/// A mailbox, and how often each wave must and may be received from it.
#[derive(Debug)]
struct Reader {
    key: Key,
    capacity: usize,
    floor: f64,
    life: Life,
    patterns: Vec<Tuned>,
    /// Those that it had when it was finished.
    last: Vec<Tuned>,
    received: Vec<u64>,
    least: BTreeMap<u64, usize>,
    most: BTreeMap<u64, usize>,
    /// The delivered sequence when it asked for earlier waves.
    asked_back: Vec<u64>,
    conflates: bool,
}

/// An emission that is out, and the mailboxes that it knows with the patterns that matched.
#[derive(Debug)]
struct Booking {
    reserved: Reserved,
    wave: Wave,
    made: usize,
    places: Vec<(usize, Vec<&'static str>)>,
}

pub struct World {
    rig: Rig,
    readers: Vec<Reader>,
    booked: Vec<Booking>,
    journal: Vec<Wave>,
    asked: Vec<Hungry>,
    /// Whether the medium keeps the waker of the refill.
    waits: bool,
    steps: usize,
}

impl Reader {
    fn hears(&self, wave: &Wave) -> bool {
        wave.amplitude >= self.floor
    }

    fn end(&mut self) {
        self.life = Life::Closing;
        self.last = std::mem::take(&mut self.patterns);
    }

    fn count(&self, sequence: u64) -> usize {
        self.received.iter().filter(|&&one| one == sequence).count()
    }

    fn expect(&mut self, sequence: u64, least: usize, most: usize) {
        *self.least.entry(sequence).or_default() += least;
        *self.most.entry(sequence).or_default() += most;
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            rig: Rig::new(),
            readers: Vec::new(),
            booked: Vec::new(),
            journal: Vec::new(),
            asked: Vec::new(),
            waits: false,
            steps: 0,
        }
    }

    /// Limits what waits, so far off that nothing comes of it but that it is counted.
    pub fn limit(&mut self) {
        let most = Most { soft: u64::MAX / 2, hard: u64::MAX / 2 };
        self.rig.medium.limit_queued(Some(Bounds { waves: most, weight: most }), weigh);
    }

    pub fn what_is_counted_is_there(&self) {
        let (mut waves, mut weight) = (0, 0);
        self.rig.medium.for_each_waiting(&mut |item| {
            waves += 1;
            weight += weigh(item);
        });
        waves += self.booked.iter().map(|one| one.places.len() as u64).sum::<u64>();
        let said = self.rig.medium.pressure();
        assert_eq!((said.waiting, said.weight), (waves, weight), "as they came and went");
    }

    pub fn step(&mut self, step: &Step) {
        self.steps += 1;
        self.rig.after = After::default();
        let count = self.readers.len();
        match *step {
            Step::Open(overflow, capacity, floor) => self.open(overflow, capacity, floor),
            Step::Resonate(place, text) => self.resonate(place.of(count), text),
            Step::Behind(place, text, back) => {
                let last = self.delivered();
                let past = back.of(1_000) == 0;
                let after = if past { last + 2 } else { back.of(last as usize + 1) as u64 };
                self.resonate_behind(place.of(count), text, after);
            }
            Step::Detune(place, text) => self.detune(place.of(count), text),
            Step::Reserve(channel, loud) => self.reserve(channel, if loud { 1.0 } else { 0.2 }),
            Step::Deliver(place, gap) if !self.booked.is_empty() => {
                let booking = self.booked.remove(place.of(self.booked.len()));
                self.deliver(booking, gap);
            }
            Step::Unreserve(place) if !self.booked.is_empty() => {
                let booking = self.booked.remove(place.of(self.booked.len()));
                self.rig.medium.unreserve(booking.reserved, &mut self.rig.after);
            }
            Step::Both(channel) => {
                let before = self.booked.len();
                self.reserve(channel, 1.0);
                if self.booked.len() > before {
                    let booking = self.booked.pop().expect("the last");
                    self.deliver(booking, 0);
                }
            }
            Step::Take(place) => drop(self.take(place.of(count))),
            Step::Quick(place) => {
                let at = place.of(count);
                if let Some(taken) = self.rig.medium.take_quickly(self.readers[at].key, |_| ()) {
                    self.note_received(at, &taken.item);
                }
            }
            Step::Many(place, most) => {
                let (at, mut taken) = (place.of(count), Vec::new());
                let (key, after) = (self.readers[at].key, &mut self.rig.after);
                self.rig.medium.take_many(key, None, (1, most), &mut taken, after);
                for item in &taken {
                    self.note_received(at, item);
                }
            }
            Step::Ask => drop(self.ask()),
            Step::Refill(place, cut, most) if !self.asked.is_empty() => {
                let hungry = self.asked.remove(place.of(self.asked.len()));
                let way = hungry.delivered - hungry.position;
                let position = hungry.position + cut.of(way as usize + 1) as u64;
                self.refill(&hungry, position, most);
            }
            Step::Deliver(..) | Step::Unreserve(_) | Step::Refill(..) => {}
            Step::Clear => drop(self.rig.medium.clear(&mut self.rig.after)),
            Step::Finish(place) => self.finish(place.of(count)),
            Step::Close(place) => {
                let at = place.of(count);
                self.rig.medium.close(self.readers[at].key, &mut self.rig.after);
                self.readers[at].end();
                self.readers[at].life = Life::Closed;
            }
        }
        self.check();
    }

    /// What holds after each step.
    fn check(&mut self) {
        self.waits &= !self.rig.wakes().contains(&1);
        for one in &self.readers {
            let said = self.rig.medium.mailbox_statistics(one.key, &mut self.rig.after);
            // What a closing mailbox was owed goes in, whatever its room.
            assert!(said.used <= one.capacity || one.life == Life::Closing, "over its capacity");
            assert_eq!(said.capacity, one.capacity);
        }
        if self.waits {
            let mut after = After::default();
            let hungry = self.rig.medium.next_hungry(1, &mut after);
            assert!(hungry.is_none(), "a wake-up was lost: {hungry:?}");
            assert_eq!((&after.spent[..], &after.wakes[..]), (&[1][..], &[][..]));
        }
        assert_eq!(self.rig.medium.delivered_to(), self.delivered());
    }

    fn delivered(&self) -> u64 {
        self.journal.last().map_or(0, |wave| wave.sequence)
    }

    fn open(&mut self, overflow: Overflow, capacity: usize, floor: f64) {
        if self.readers.len() >= 4 {
            return;
        }
        let spec = Spec { noise_floor: floor, ..spec("box", Order::Fifo, overflow, capacity) };
        self.readers.push(Reader {
            key: self.rig.open(spec, &[]),
            capacity,
            floor,
            life: Life::Open,
            patterns: Vec::new(),
            last: Vec::new(),
            received: Vec::new(),
            least: BTreeMap::new(),
            most: BTreeMap::new(),
            asked_back: Vec::new(),
            conflates: overflow == Overflow::Conflate,
        });
    }

    fn is_known(&self, at: usize, text: &str) -> bool {
        self.readers[at].patterns.iter().any(|tuned| tuned.text == text)
    }

    fn resonate(&mut self, at: usize, text: &'static str) {
        let expected = (self.readers[at].life == Life::Open).then_some(!self.is_known(at, text));
        assert_eq!(self.rig.medium.resonate(self.readers[at].key, pattern(text)), expected);
        if expected == Some(true) {
            let (after, exact) = (self.delivered(), self.booked.is_empty());
            let tuned = Tuned { text, after, exact, replay: false, made: self.steps };
            self.readers[at].patterns.push(tuned);
        }
    }

    fn resonate_behind(&mut self, at: usize, text: &'static str, after: u64) {
        let expected = (self.readers[at].life == Life::Open).then_some(!self.is_known(at, text));
        let key = self.readers[at].key;
        let done = self.rig.medium.resonate_behind(key, pattern(text), after, &mut self.rig.after);
        assert_eq!(done, expected);
        if expected != Some(true) {
            return;
        }
        let one = &mut self.readers[at];
        // What it has had already, it does not get again.
        for wave in self.journal.iter().filter(|wave| wave.sequence > after) {
            if !takes(text, wave.channel) || !one.hears(wave) {
                continue;
            }
            let by =
                |tuned: &&Tuned| takes(tuned.text, wave.channel) && tuned.after < wave.sequence;
            let known: Vec<bool> =
                one.patterns.iter().filter(by).map(|tuned| tuned.exact).collect();
            if known.is_empty() {
                one.expect(wave.sequence, 1, 1);
            } else if !known.contains(&true) {
                // Whether it has had it, nobody knows.
                one.expect(wave.sequence, 0, 1);
                let least = one.least.entry(wave.sequence).or_default();
                *least = 1.max(*least);
            }
        }
        let last = self.journal.last().map_or(0, |wave| wave.sequence);
        one.asked_back.push(last);
        let tuned = Tuned { text, after, exact: true, replay: true, made: self.steps };
        one.patterns.push(tuned);
    }

    fn detune(&mut self, at: usize, text: &'static str) {
        let known = self.is_known(at, text);
        let key = self.readers[at].key;
        let gone = self.rig.medium.detune(key, &pattern(text), &mut self.rig.after);
        let one = &mut self.readers[at];
        assert_eq!(gone, known);
        if !known {
            return;
        }
        one.patterns.retain(|tuned| tuned.text != text);
        // What of its waves was not read may not come any more.
        for wave in self.journal.iter().filter(|wave| takes(text, wave.channel)) {
            let received = one.count(wave.sequence);
            if let Some(least) = one.least.get_mut(&wave.sequence) {
                *least = received.min(*least);
            }
        }
    }

    fn reserve(&mut self, channel: &'static str, amplitude: f64) {
        let wave = Wave { sequence: 0, channel, amplitude };
        let Ok(reserved) = self.rig.reserve_as(None, &faint(channel, amplitude)) else { return };
        let matching = |(at, one): (usize, &Reader)| {
            let by = one.patterns.iter().filter(|tuned| takes(tuned.text, channel));
            let by: Vec<_> = by.map(|tuned| tuned.text).collect();
            (one.life == Life::Open && one.hears(&wave) && !by.is_empty()).then_some((at, by))
        };
        let places: Vec<_> = self.readers.iter().enumerate().filter_map(matching).collect();
        assert_eq!(reserved.matched(), places.len());
        self.booked.push(Booking { reserved, wave, made: self.steps, places });
    }

    fn deliver(&mut self, booking: Booking, gap: u64) {
        let Booking { reserved, wave, made, places } = booking;
        let wave = Wave { sequence: self.delivered() + 1 + gap, ..wave };
        let emission = faint(wave.channel, wave.amplitude);
        let (_, sent) = self.rig.deliver(reserved, &emission, wave.sequence);
        assert_eq!(sent.matched, places.len());
        self.journal.push(wave);
        for (at, one) in self.readers.iter_mut().enumerate() {
            if one.life == Life::Closed || !one.hears(&wave) {
                continue;
            }
            let counts =
                |tuned: &&Tuned| takes(tuned.text, wave.channel) && tuned.after < wave.sequence;
            match places.iter().find(|&&(place, _)| place == at) {
                // It was admitted to it. If it has been detuned, and is behind, it may come or not.
                Some((_, by)) => {
                    let same = |tuned: &Tuned| by.contains(&tuned.text) && tuned.made <= made;
                    let sure = one.patterns.iter().chain(&one.last).any(same);
                    let late = one
                        .patterns
                        .iter()
                        .chain(&one.last)
                        .any(|tuned| tuned.after >= wave.sequence);
                    one.expect(wave.sequence, usize::from(sure && !late), 1);
                }
                None if one.life == Life::Closing => {}
                // It was not. The journal brings it where it was asked for, and may where it is read.
                None => {
                    let mut by = one.patterns.iter().filter(counts).peekable();
                    let (some, sure) = (by.peek().is_some(), by.any(|tuned| tuned.replay));
                    one.expect(wave.sequence, usize::from(sure), usize::from(some));
                }
            }
        }
    }

    fn take(&mut self, at: usize) -> Option<u64> {
        self.rig.after.garbage.clear();
        match self.rig.medium.take(self.readers[at].key, None, &mut self.rig.after) {
            Take::Wave(taken) => {
                self.note_received(at, &taken.item);
                Some(taken.item.id)
            }
            Take::Empty => None,
            Take::Ended => {
                assert_ne!(self.readers[at].life, Life::Open);
                None
            }
        }
    }

    fn note_received(&mut self, at: usize, item: &Arc<Item>) {
        self.readers[at].received.push(item.sequence.load(Ordering::Relaxed));
    }

    /// Whether a mailbox is hungry.
    fn ask(&mut self) -> bool {
        let after = &mut self.rig.after;
        let hungry = self.rig.medium.next_hungry(1, after);
        self.waits = hungry.is_none();
        let Some((hungry, _)) = hungry else { return false };
        assert!(hungry.room > 0 && hungry.position < hungry.delivered, "{hungry:?}");
        assert!(hungry.delivered <= self.delivered());
        self.asked.push(hungry);
        true
    }

    /// Brings all waves up to a place, or the first so many.
    fn refill(&mut self, hungry: &Hungry, mut position: u64, most: usize) -> Refilled {
        let wanted = |wave: &&Wave| {
            wave.sequence <= position
                && hungry.wants(wave.channel, wave.amplitude, 0, wave.sequence)
        };
        let wanted: Vec<Wave> = self.journal.iter().filter(wanted).copied().collect();
        if let Some(left) = wanted.get(most) {
            position = left.sequence - 1;
        }
        let mut read = Vec::new();
        for wave in wanted.iter().take(most) {
            let emission: Emission<'static> = faint(wave.channel, wave.amplitude);
            read.push(Read { emission, sequence: wave.sequence, item: self.rig.item() });
        }
        let (count, after) = (read.len(), &mut self.rig.after);
        let done = self.rig.medium.refill(hungry, position, read, &Carrier, after);
        assert!(done.put <= count);
        done
    }

    fn finish(&mut self, at: usize) {
        self.rig.medium.finish(self.readers[at].key, &mut self.rig.after);
        let one = &mut self.readers[at];
        if one.life == Life::Open {
            one.end();
        }
    }

    /// Everything is delivered, refilled and read.
    pub fn end(&mut self, finish: bool) {
        if finish {
            self.rig.medium.shut(Phase::Closed, false, &mut self.rig.after);
            for one in &mut self.readers {
                if one.life == Life::Open {
                    one.end();
                }
            }
        }
        while let Some(booking) = self.booked.pop() {
            self.deliver(booking, 0);
            self.check();
        }
        self.asked.clear();
        let mut rounds = 0;
        loop {
            let mut moved = false;
            while self.ask() {
                let hungry = self.asked.pop().expect("just asked");
                self.refill(&hungry, hungry.delivered, hungry.room);
                moved = true;
                rounds += 1;
                assert!(rounds < 10_000, "no end");
            }
            for at in 0..self.readers.len() {
                while self.take(at).is_some() {
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        assert!(self.rig.medium.is_quiet());
        for at in 0..self.readers.len() {
            self.judge(at);
        }
    }

    fn judge(&mut self, at: usize) {
        let key = self.readers[at].key;
        assert!(self.rig.medium.is_drained(key));
        let said = self.rig.medium.mailbox_statistics(key, &mut self.rig.after);
        let one = &self.readers[at];
        let beyond = |tuned: &Tuned| tuned.after > self.delivered();
        assert!(!said.behind || one.patterns.iter().any(beyond), "it has read all");
        if one.life != Life::Open {
            assert!(self.rig.ended(key), "and that was all");
        }
        let one = &self.readers[at];
        if one.life == Life::Closed {
            return;
        }
        let lost = said.dropped.total() as usize;
        let mut sums = (0, 0);
        for wave in &self.journal {
            let number = wave.sequence;
            let (least, most) = (one.least.get(&number), one.most.get(&number));
            let (least, most) = (least.copied().unwrap_or(0), most.copied().unwrap_or(0));
            let received = one.count(number);
            assert!(received <= most, "{number} came {received} times, not {most}: {one:?}");
            assert!(lost > 0 || received >= least, "{number} is missing: {one:?}");
            sums = (sums.0 + least, sums.1 + most);
        }
        let all = one.received.len() + lost;
        assert!(sums.0 <= all && all <= sums.1, "{all} came or were lost, not {sums:?}: {one:?}");
        if !one.conflates {
            judge_order(one);
        }
    }
}

/// A wave comes after a later one only if earlier ones were asked for when both were there.
fn judge_order(one: &Reader) {
    for (place, &later) in one.received.iter().enumerate() {
        for &earlier in one.received[place + 1..].iter().filter(|&&wave| wave <= later) {
            let explained = one.asked_back.iter().any(|&last| later <= last);
            assert!(explained, "{earlier} came after {later}: {one:?}");
        }
    }
}
