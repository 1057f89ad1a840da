//! Each step of a program, done by both.

use std::collections::BTreeMap;

use aether_core::decay::Fading;
use aether_core::mailbox::{Role, Spec};
use aether_core::medium::{Enlisted, Patience, Phase, Ticket, Unlisted};
use aether_core::reason::Reason;

use super::plain::{Life, Plain};
use super::program::{Opening, Shot, Step, Turn, Way};
use super::support::{After, FACTOR, INTERVAL, pattern};
use super::world::{Held, Reader, Sender, World};

impl World {
    pub fn step(&mut self, step: &Step) {
        self.rig.after = After::default();
        self.wakes.clear();
        self.dropped.clear();
        let count = self.boxes.len();
        match step {
            Step::Open(how, patterns) => self.open(how, patterns),
            Step::Resonate(..) | Step::Detune(..) | Step::DetuneAll(_) => self.tune(step),
            Step::Emit(shot, wait) => {
                if self.emit_both(shot, None) && *wait {
                    let ticket = self.rig.medium.new_ticket();
                    self.wait(shot.clone(), ticket);
                }
            }
            Step::Reserve(shot, wait) => {
                if self.reserve_both(shot, None) && *wait {
                    let ticket = self.rig.medium.new_ticket();
                    self.wait(shot.clone(), ticket);
                }
            }
            Step::Deliver(index, gap) if !self.booked.is_empty() => {
                let booking = self.booked.remove(index.of(self.booked.len()));
                self.deliver(booking, *gap);
            }
            Step::Unreserve(index) if !self.booked.is_empty() => {
                let booking = self.booked.remove(index.of(self.booked.len()));
                self.unreserve(booking);
            }
            Step::Advance(quarters) => {
                self.rig.clock.advance(f64::from(*quarters) / 4.0);
            }
            Step::Take(index) => {
                let at = index.of(count);
                let took = self.rig.medium.take(self.boxes[at].key, None, &mut self.rig.after);
                self.taken(at, took);
            }
            Step::Hold(index) => {
                let at = index.of(count);
                let took = self.rig.medium.take(self.boxes[at].key, None, &mut self.rig.after);
                if let Some((taken, wave)) = self.taken(at, took) {
                    self.held.push(Held { at, taken, wave });
                }
            }
            Step::TakeBack(index) if !self.held.is_empty() => {
                let held = self.held.remove(index.of(self.held.len()));
                self.take_back(held);
            }
            Step::Many(index, least, most) => self.many(index.of(count), None, (*least, *most)),
            Step::Swift(shot) => self.swift(shot),
            Step::Unheard(channel) => self.unheard(channel),
            Step::Quick(place) => self.quick(place.of(count)),
            Step::QuickMany(place, most) => self.quick_many(place.of(count), *most),
            Step::Enlist(index, want) => {
                let (at, waker) = (index.of(count), self.waker());
                let one = &self.boxes[at];
                let ready = one.is_final() || one.waves.len() >= (*want).min(one.how.capacity);
                match self.rig.enlist(one.key, *want, waker) {
                    Ok(id) => {
                        assert!(!ready);
                        let reader = Reader { id, at, want: *want, waker, woken: false };
                        self.readers.push(reader);
                    }
                    Err(Unlisted::Retry(same)) => assert!(ready && same == waker),
                    Err(Unlisted::Apart(_)) => panic!("all may wait together"),
                }
            }
            Step::Resume(index, way) if !self.readers.is_empty() => {
                let reader = self.readers.remove(index.of(self.readers.len()));
                self.resume(&reader, way);
            }
            Step::Sender(index, turn) if !self.senders.is_empty() => {
                self.resume_sender(index.of(self.senders.len()), *turn);
            }
            Step::Rouse(index) if !self.senders.is_empty() => {
                let place = index.of(self.senders.len());
                let sender = &mut self.senders[place];
                self.rig.medium.rouse(sender.ticket, &mut self.rig.after);
                if sender.promised.is_none() && !sender.roused {
                    sender.roused = true;
                    self.wakes.push(sender.waker);
                }
            }
            // There is none.
            Step::Resume(..)
            | Step::Sender(..)
            | Step::Rouse(_)
            | Step::TakeBack(_)
            | Step::Deliver(..)
            | Step::Unreserve(_) => {}
            Step::Look(index) => self.look(index.of(count)),
            Step::Stalls(quarters) => self.stalls(f64::from(*quarters) / 4.0),
            Step::Clear => self.clear(),
            Step::Finish(_) | Step::Close(_) | Step::Discard(_) => self.end_both(step),
            Step::Shut(phase, at_once) => self.shut(*phase, *at_once),
        }
        self.compare();
    }

    pub fn clear(&mut self) {
        let waiting: usize = self.boxes.iter().map(|one| one.waves.len()).sum();
        assert_eq!(self.rig.medium.clear(&mut self.rig.after), waiting);
        for one in &mut self.boxes {
            one.empty(Reason::Cleared, &mut self.dropped);
        }
        self.promise();
    }

    pub fn tune(&mut self, step: &Step) {
        let count = self.boxes.len();
        match step {
            Step::Resonate(index, text) => {
                let one = &mut self.boxes[index.of(count)];
                let known = one.patterns.contains(text);
                let expected = (one.life == Life::Open).then_some(!known);
                assert_eq!(self.rig.medium.resonate(one.key, pattern(text)), expected);
                if expected == Some(true) {
                    one.patterns.push(text);
                }
            }
            Step::Detune(index, text) => {
                let one = &mut self.boxes[index.of(count)];
                let before = one.patterns.len();
                one.patterns.retain(|pattern| pattern != text);
                let removed = self.rig.medium.detune(one.key, &pattern(text), &mut self.rig.after);
                assert_eq!(removed, one.patterns.len() < before);
                self.promise();
            }
            Step::DetuneAll(text) => {
                self.rig.medium.detune_all(|one| one.as_str() == *text, &mut self.rig.after);
                for one in &mut self.boxes {
                    one.patterns.retain(|pattern| pattern != text);
                }
                self.promise();
            }
            _ => unreachable!("not about patterns"),
        }
    }

    pub fn end_both(&mut self, step: &Step) {
        let count = self.boxes.len();
        match step {
            Step::Finish(index) => {
                let at = index.of(count);
                self.rig.medium.finish(self.boxes[at].key, &mut self.rig.after);
                self.end(at, Life::Closing);
            }
            Step::Close(index) => {
                let at = index.of(count);
                self.rig.medium.close(self.boxes[at].key, &mut self.rig.after);
                self.end(at, Life::Closed);
            }
            Step::Discard(index) => {
                let at = index.of(count);
                self.rig.medium.discard(self.boxes[at].key, &mut self.rig.after);
                self.end(at, Life::Gone);
            }
            _ => unreachable!("not an end"),
        }
    }

    pub fn open(&mut self, how: &Opening, patterns: &[&'static str]) {
        let name = format!("box {}", self.boxes.len());
        let spec = Spec {
            name: name.as_str().into(),
            order: how.order,
            overflow: how.overflow,
            capacity: how.capacity,
            noise_floor: how.floor,
            ignored: how.ignored,
            role: Role::Reader,
            readers: 0,
        };
        if self.phase != Phase::Open {
            let fading = Fading::new(FACTOR, INTERVAL);
            assert!(self.rig.medium.open(spec, fading).is_none());
            return;
        }
        let mut patterns = patterns.to_vec();
        patterns.dedup();
        let key = self.rig.open(spec, &patterns);
        self.boxes.push(Plain {
            key,
            name,
            how: how.clone(),
            patterns,
            life: Life::Open,
            waves: Vec::new(),
            arrivals: 0,
            received: 0,
            lost: BTreeMap::new(),
            gaps: Vec::new(),
            came_back: 0,
            pending: 0,
            held: 0,
        });
    }

    pub fn resume(&mut self, reader: &Reader, way: &Way) {
        let (at, key) = (reader.at, self.boxes[reader.at].key);
        match *way {
            Way::Take => {
                let took = self.rig.medium.take(key, Some(reader.id), &mut self.rig.after);
                self.taken(at, took);
            }
            Way::Many(least, most) => self.many(at, Some(reader), (least, most)),
            Way::Abandon => {
                self.rig.medium.abandon_receiver(key, reader.id, &mut self.rig.after);
                if reader.woken {
                    self.wake_reader(at);
                }
            }
        }
    }

    pub fn resume_sender(&mut self, place: usize, turn: Turn) {
        // Nobody may have woken it: its time has run out, and it tries once more.
        let (shot, ticket) = (self.senders[place].shot.clone(), self.senders[place].ticket);
        let full = match turn {
            Turn::Emit => self.emit_both(&shot, Some(place)),
            Turn::Reserve => self.reserve_both(&shot, Some(place)),
            Turn::Leave => {
                let sender = self.senders.remove(place);
                self.rig.medium.abandon_sender(sender.ticket, &mut self.rig.after);
                return self.promise();
            }
        };
        if full {
            // It waits again, with its old seniority.
            self.wait(shot, ticket);
        }
    }

    pub fn wait(&mut self, shot: Shot, ticket: Ticket) {
        let (waker, since) = (self.waker(), self.now());
        let who = (0, Patience::Endless);
        let enlisted = self.rig.medium.enlist_sender(&shot.emission(), ticket, who, waker);
        assert!(matches!(enlisted, Enlisted::Waiting(same) if same == ticket), "{enlisted:?}");
        self.senders.push(Sender { ticket, shot, waker, since, promised: None, roused: false });
        self.senders.sort_by_key(|sender| sender.ticket);
    }

    pub fn look(&mut self, at: usize) {
        let after = &mut self.rig.after;
        let said = self.rig.medium.mailbox_statistics(self.boxes[at].key, after);
        if self.boxes[at].life == Life::Gone {
            return assert_eq!(said.capacity, 0);
        }
        self.purge(&[at]);
        let one = &self.boxes[at];
        assert_eq!((said.used, said.received), (one.waves.len(), one.received));
        assert_eq!(said.capacity, one.how.capacity);
        let lost: BTreeMap<_, _> =
            said.dropped.iter().map(|(reason, count)| (reason.name(), count)).collect();
        assert_eq!(lost, one.lost);
        let readers = self.readers.iter().filter(|reader| reader.at == at).count();
        assert_eq!(said.waiting_receive, readers);
        let waits_here = |sender: &&Sender| match &sender.promised {
            Some(places) => one.life == Life::Open && places.contains(&at),
            None => self.is_full(at) && self.blocking(&sender.shot).contains(&at),
        };
        assert_eq!(said.waiting_send, self.senders.iter().filter(waits_here).count());
    }

    pub fn stalls(&mut self, limit: f64) {
        let now = self.now();
        let long: Vec<usize> = (0..self.senders.len())
            .filter(|&place| now - self.senders[place].since >= limit)
            .collect();
        let mut full: Vec<usize> = long
            .iter()
            .filter(|&&place| self.senders[place].promised.is_none())
            .flat_map(|&place| self.blocking(&self.senders[place].shot))
            .filter(|&at| self.is_full(at))
            .collect();
        full.sort_unstable();
        full.dedup();
        let stalls = self.rig.medium.stalls(limit, &mut self.rig.after);
        self.purge(&full);
        let still = long.iter().map(|&place| &self.senders[place]);
        let still = still.filter(|sender| sender.promised.is_none() && !sender.roused);
        let still = still.map(|sender| sender.ticket);
        let said: Vec<Ticket> = stalls.iter().map(|stall| stall.ticket).collect();
        assert_eq!(said, still.collect::<Vec<_>>());
    }

    pub fn shut(&mut self, phase: Phase, at_once: bool) {
        self.rig.medium.shut(phase, at_once, &mut self.rig.after);
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        if phase == Phase::Closed {
            for at in 0..self.boxes.len() {
                if self.boxes[at].life != Life::Gone {
                    self.end(at, if at_once { Life::Closed } else { Life::Closing });
                }
            }
        }
        for sender in &mut self.senders {
            if sender.promised.is_none() && (phase == Phase::Closed || !sender.shot.inside) {
                sender.promised = Some(Vec::new());
                if !sender.roused {
                    self.wakes.push(sender.waker);
                }
            }
        }
    }
}
