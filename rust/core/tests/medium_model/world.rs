//! The medium and its model side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aether_core::mailbox::{Overflow, Taken, WaiterId};
use aether_core::medium::{
    Bounds, Emission, Most, Phase, Refusal, Reserved, Sent, Take, Ticket, Verdict,
};
use aether_core::reason::Reason;

use super::plain::{Life, Plain, Waiting};
use super::program::{Shot, takes};
use super::support::{After, Item, Rig, weigh};

#[derive(Debug)]
pub struct Reader {
    pub id: WaiterId,
    pub at: usize,
    pub want: usize,
    pub waker: u32,
    pub woken: bool,
}

#[derive(Debug)]
pub struct Sender {
    pub ticket: Ticket,
    pub shot: Shot,
    pub waker: u32,
    pub since: f64,
    /// Woken, with room in each of these.
    pub promised: Option<Vec<usize>>,
    /// Woken with nothing promised, to see for itself.
    pub roused: bool,
}

/// A wave that was taken, and may come back.
#[derive(Debug)]
pub struct Held {
    pub at: usize,
    pub taken: Taken<Arc<Item>>,
    pub wave: Waiting,
}

/// An emission that was admitted and is not delivered.
#[derive(Debug)]
pub struct Booking {
    pub reserved: Reserved,
    pub shot: Shot,
    /// The moment after which it is expired.
    pub expires: f64,
    /// Where it goes, and whether room is held there.
    pub places: Vec<(usize, bool)>,
}

pub struct World {
    pub rig: Rig,
    pub boxes: Vec<Plain>,
    /// In the order in which they were listed.
    pub readers: Vec<Reader>,
    /// By seniority.
    pub senders: Vec<Sender>,
    pub held: Vec<Held>,
    pub booked: Vec<Booking>,
    pub phase: Phase,
    /// What waits is limited, and so counted.
    pub limited: bool,
    pub wakers: u32,
    pub made: u64,
    pub emitted: u64,
    /// That of the wave delivered last.
    pub sequence: u64,
    pub delivered: u64,
    pub unheard: u64,
    pub refused: u64,
    /// What the step that runs must wake and drop.
    pub wakes: Vec<u32>,
    pub dropped: Vec<u64>,
}

impl World {
    pub fn new() -> Self {
        Self {
            rig: Rig::new(),
            boxes: Vec::new(),
            readers: Vec::new(),
            senders: Vec::new(),
            held: Vec::new(),
            booked: Vec::new(),
            phase: Phase::Open,
            limited: false,
            wakers: 0,
            made: 0,
            emitted: 0,
            sequence: 0,
            delivered: 0,
            unheard: 0,
            refused: 0,
            wakes: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Limits what waits, so far off that nothing comes of it but that it is counted; or does not any more.
    pub fn limit(&mut self, limited: bool) {
        let most = Most { soft: u64::MAX / 2, hard: u64::MAX / 2 };
        let bounds = Bounds { waves: most, weight: most };
        self.rig.medium.limit_queued(limited.then_some(bounds), weigh);
        self.limited = limited;
    }

    pub fn now(&self) -> f64 {
        self.rig.clock.now()
    }

    pub fn waker(&mut self) -> u32 {
        self.wakers += 1;
        self.wakers
    }

    pub fn matching(&self, shot: &Shot) -> Vec<usize> {
        let matches = |at: &usize| {
            let Plain { life, patterns, how, .. } = &self.boxes[*at];
            *life == Life::Open
                && patterns.iter().any(|pattern| takes(pattern, shot.channel))
                && shot.amplitude >= how.floor
                && (how.ignored == 0 || how.ignored != shot.emitter)
        };
        (0..self.boxes.len()).filter(matches).collect()
    }

    /// The rule: no place is free, or somebody is on the way to one.
    pub fn is_full(&self, at: usize) -> bool {
        self.boxes[at].guards() && (self.boxes[at].is_stuffed() || self.promises(at) > 0)
    }

    /// How many emissions are on their way to room in it.
    pub fn promises(&self, at: usize) -> usize {
        let promised = self.senders.iter().filter_map(|sender| sender.promised.as_ref());
        promised.filter(|places| places.contains(&at)).count()
    }

    pub fn blocking(&self, shot: &Shot) -> Vec<usize> {
        let mut matching = self.matching(shot);
        matching.retain(|&at| self.boxes[at].how.overflow == Overflow::Block);
        matching
    }

    /// The rule: the senior waiting emissions for which none of their mailboxes is full are promised room.
    pub fn promise(&mut self) {
        for place in 0..self.senders.len() {
            if self.senders[place].promised.is_some() {
                continue;
            }
            let blocking = self.blocking(&self.senders[place].shot);
            if !blocking.iter().any(|&at| self.is_full(at)) {
                self.senders[place].promised = Some(blocking);
                if !self.senders[place].roused {
                    self.wakes.push(self.senders[place].waker);
                }
            }
        }
    }

    pub fn wake_reader(&mut self, at: usize) {
        let waiting = self.boxes[at].waves.len();
        let enough = |reader: &&mut Reader| {
            reader.at == at
                && !reader.woken
                && reader.want.min(self.boxes[at].how.capacity) <= waiting
        };
        if let Some(reader) = self.readers.iter_mut().find(enough) {
            reader.woken = true;
            self.wakes.push(reader.waker);
        }
    }

    pub fn wake_readers(&mut self, at: usize) {
        for reader in self.readers.iter_mut().filter(|reader| reader.at == at && !reader.woken) {
            reader.woken = true;
            self.wakes.push(reader.waker);
        }
    }

    pub fn purge(&mut self, places: &[usize]) {
        let now = self.now();
        let mut gone = false;
        for &at in places {
            gone |= self.boxes[at].purge(now, &mut self.dropped);
        }
        if gone {
            self.promise();
        }
    }

    /// What the emission does in the model: its receipt's numbers, or why it does nothing.
    pub fn emit(&mut self, shot: &Shot) -> Result<(usize, Vec<Reason>), Refusal> {
        let matching = self.admit(shot)?;
        self.sequence += 1;
        Ok((matching.len(), self.put(self.made, shot, &matching)))
    }

    /// Where it goes, or why it goes nowhere.
    pub fn admit(&mut self, shot: &Shot) -> Result<Vec<usize>, Refusal> {
        if !self.takes(shot) {
            return Err(Refusal::Closed);
        }
        let matching = self.matching(shot);
        if matching.len() < shot.require {
            return Err(Refusal::TooFew { matched: matching.len() });
        }
        if matching.iter().any(|&at| self.is_full(at)) {
            self.purge(&matching);
        }
        let name = |at: usize| self.boxes[at].name.as_str().into();
        let full: Vec<usize> = matching.iter().copied().filter(|&at| self.is_full(at)).collect();
        let refuses = |at: &&usize| self.boxes[**at].how.overflow == Overflow::Error;
        if let Some(&at) = full.iter().find(refuses) {
            return Err(Refusal::Refused(name(at)));
        }
        if !full.is_empty() {
            return Err(Refusal::Full(full.into_iter().map(name).collect()));
        }
        Ok(matching)
    }

    /// Puts a wave into these, and says why some of them did not keep it.
    pub fn put(&mut self, id: u64, shot: &Shot, places: &[usize]) -> Vec<Reason> {
        self.emitted += 1;
        self.unheard += u64::from(places.is_empty());
        let now = self.now();
        let mut reasons = Vec::new();
        for &at in places {
            let before = self.boxes[at].waves.len();
            let expires = now + shot.lifetime;
            let wave = Waiting { id, arrival: 0, entered: now, expires, shot: shot.clone() };
            match self.boxes[at].put(wave, now, &mut self.dropped) {
                Ok(()) => self.delivered += 1,
                Err(reason) => {
                    self.refused += 1;
                    reasons.push(reason);
                }
            }
            if self.boxes[at].waves.len() > before {
                self.wake_reader(at);
            }
        }
        reasons
    }

    /// Whether it found full mailboxes that block.
    pub fn emit_both(&mut self, shot: &Shot, sender: Option<usize>) -> bool {
        self.explain(shot);
        self.made += 1;
        let ticket = sender.map(|place| self.senders[place].ticket);
        let done = self.rig.emit_as(ticket, &shot.emission());
        self.withdraw(shot, sender);
        let expected = self.emit(shot);
        self.promise();
        match (done, expected) {
            (Ok((id, sent)), Ok((matched, reasons))) => {
                assert_eq!(id, self.made);
                assert_eq!((sent.sequence, sent.matched), (self.sequence, matched));
                same_losses(sent, &reasons);
                false
            }
            (done, expected) => same_refusal(done.err(), expected.err()),
        }
    }

    /// A waiting emission resumes.
    pub fn withdraw(&mut self, shot: &Shot, sender: Option<usize>) {
        if let Some(place) = sender {
            self.claim(shot, place);
            self.search(shot, place);
            self.senders.remove(place);
        }
    }

    /// One that resumes without a promise lets time make room first, for whoever has waited longest.
    fn claim(&mut self, shot: &Shot, place: usize) {
        if self.senders[place].promised.is_none() {
            self.senders[place].roused = true;
            let matching = self.matching(shot);
            self.purge(&matching);
        }
    }

    /// A resuming emission lets time make room if something is full but for its own promise. While it does,
    /// that is kept.
    fn search(&mut self, shot: &Shot, place: usize) {
        let matching = self.matching(shot);
        let own = std::mem::take(&mut self.senders[place].promised);
        let full = matching.iter().any(|&at| self.is_full(at));
        self.senders[place].promised = own;
        if self.takes(shot) && matching.len() >= shot.require && full {
            self.purge(&matching);
        }
    }

    /// Whether the medium takes it in this phase.
    pub fn takes(&self, shot: &Shot) -> bool {
        self.phase == Phase::Open || (self.phase == Phase::Draining && shot.inside)
    }

    pub fn explain(&self, shot: &Shot) {
        for row in self.rig.medium.explain(shot.channel, shot.amplitude, shot.emitter) {
            let at = self.boxes.iter().position(|one| one.key == row.key).expect("known");
            let one = &self.boxes[at];
            // Over its capacity by a wave that came back, it may be full when one has expired.
            if one.waves.len() + one.held > one.how.capacity {
                continue;
            }
            let hears = one.patterns.iter().any(|pattern| takes(pattern, shot.channel));
            let own = one.how.ignored != 0 && one.how.ignored == shot.emitter;
            let expected = if one.life != Life::Open {
                Verdict::Closed
            } else if !hears {
                Verdict::Pattern
            } else if own {
                Verdict::Own
            } else if shot.amplitude < one.how.floor {
                Verdict::NoiseFloor(one.how.floor)
            } else {
                self.try_out(at, shot)
            };
            // Whether those that wait here leave room for it depends on where else they have to wait.
            let waits = |sender: &Sender| self.blocking(&sender.shot).contains(&at);
            if (row.verdict, expected) != (Verdict::Full, Verdict::Reached)
                || !self.senders.iter().any(waits)
            {
                assert_eq!(row.verdict, expected);
            }
        }
    }

    /// What happens to a wave in a copy of a mailbox.
    fn try_out(&self, at: usize, shot: &Shot) -> Verdict {
        let (now, mut dropped) = (self.now(), Vec::new());
        let mut copy = self.boxes[at].clone();
        copy.purge(now, &mut dropped);
        let stuffed = copy.is_stuffed();
        match copy.how.overflow {
            Overflow::Error if stuffed => return Verdict::Refused,
            Overflow::Block if stuffed || self.promises(at) > 0 => return Verdict::Full,
            _ => {}
        }
        copy.lost.clear();
        let wave = Waiting { id: 0, arrival: 0, entered: now, expires: now, shot: shot.clone() };
        match copy.put(wave, now, &mut dropped) {
            Err(reason) => Verdict::Drops(reason),
            Ok(()) if copy.lost.keys().all(|&reason| reason == "conflated") => Verdict::Reached,
            Ok(()) => Verdict::Overflows(copy.how.overflow),
        }
    }

    pub fn taken(
        &mut self,
        at: usize,
        took: Take<Arc<Item>>,
    ) -> Option<(Taken<Arc<Item>>, Waiting)> {
        let now = self.now();
        let gone = self.boxes[at].life == Life::Gone;
        let expected = if gone { None } else { self.boxes[at].pop(now, &mut self.dropped) };
        let both = match (took, expected) {
            (Take::Wave(taken), Some((wave, missed))) => {
                assert_eq!(taken.item.id, wave.id);
                assert!(taken.item.sequence.load(Ordering::Relaxed) > 0);
                assert_eq!(taken.missed, missed);
                Some((taken, wave))
            }
            (Take::Empty, None) => {
                assert!(!self.boxes[at].is_final());
                None
            }
            (Take::Ended, None) => {
                assert!(self.boxes[at].is_final());
                None
            }
            (took, expected) => panic!("took {took:?}, not {expected:?}"),
        };
        self.promise();
        both
    }

    pub fn take_back(&mut self, held: Held) {
        let Held { at, taken, wave } = held;
        let (key, missed) = (self.boxes[at].key, taken.missed);
        let lifetime = wave.expires - self.now();
        let emission = Emission { lifetime, ..wave.shot.emission() };
        self.rig.medium.take_back(key, taken, &emission, &mut self.rig.after);
        self.boxes[at].take_back(wave, missed, &mut self.dropped);
        self.wake_reader(at);
    }

    pub fn many(&mut self, at: usize, reader: Option<&Reader>, (least, most): (usize, usize)) {
        let (key, waiter) = (self.boxes[at].key, reader.map(|reader| reader.id));
        let mut taken = Vec::new();
        self.rig.after = After::default();
        let after = &mut self.rig.after;
        let missed = self.rig.medium.take_many(key, waiter, (least, most), &mut taken, after);
        let now = self.now();
        let one = &mut self.boxes[at];
        let (mut expected, mut known) = (Vec::new(), 0);
        if one.life != Life::Gone {
            one.purge(now, &mut self.dropped);
            if one.is_final() || one.waves.len() >= least.min(one.how.capacity) {
                while let Some((wave, missed)) =
                    (expected.len() < most).then(|| one.pop(now, &mut self.dropped)).flatten()
                {
                    expected.push(wave.id);
                    known += missed;
                }
            }
        }
        let ids: Vec<u64> = taken.iter().map(|item| item.id).collect();
        assert_eq!(ids, expected);
        assert_eq!(missed.is_none(), one.is_final() && expected.is_empty());
        assert_eq!(missed.unwrap_or(0), known);
        self.promise();
        if expected.is_empty() && reader.is_some_and(|reader| reader.woken) {
            self.wake_reader(at);
        }
    }

    pub fn end(&mut self, at: usize, life: Life) {
        if self.boxes[at].life == Life::Open {
            self.boxes[at].patterns.clear();
            self.boxes[at].life = Life::Closing;
            self.wake_readers(at);
            self.promise();
        }
        if life != Life::Closing && self.boxes[at].life != Life::Gone {
            self.boxes[at].life = life;
            self.boxes[at].empty(Reason::Abandoned, &mut self.dropped);
            self.wake_readers(at);
        }
    }
}

/// Whether a receipt tells of these losses.
pub fn same_losses(sent: Sent, reasons: &[Reason]) {
    assert_eq!(sent.dropped, reasons.len());
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for reason in reasons {
        *tally.entry(reason.name()).or_default() += 1;
    }
    let said = sent.reasons.unwrap_or_default();
    let said: BTreeMap<_, _> = said.iter().map(|(reason, count)| (reason.name(), count)).collect();
    assert_eq!(said, tally);
}

/// Whether both were refused alike; returns whether mailboxes that block were full.
pub fn same_refusal(said: Option<Refusal>, known: Option<Refusal>) -> bool {
    match (said, known) {
        (Some(Refusal::Full(mut said)), Some(Refusal::Full(mut known))) => {
            said.sort();
            known.sort();
            assert_eq!(said, known);
            true
        }
        // Any of those that refuse may be named.
        (Some(Refusal::Refused(_)), Some(Refusal::Refused(_))) => false,
        (said, known) => {
            assert_eq!(said, known);
            false
        }
    }
}
