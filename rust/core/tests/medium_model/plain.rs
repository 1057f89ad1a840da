//! A mailbox as a plain vector.

use std::collections::BTreeMap;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::Key;
use aether_core::reason::Reason;

use super::program::{Opening, Shot};
use super::support::FACTOR;

#[derive(Clone, Debug)]
pub struct Waiting {
    pub id: u64,
    pub arrival: u64,
    pub entered: f64,
    pub expires: f64,
    pub shot: Shot,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Life {
    Open,
    Closing,
    Closed,
    Gone,
}

#[derive(Clone, Debug)]
pub struct Plain {
    pub key: Key,
    pub name: String,
    pub how: Opening,
    pub patterns: Vec<&'static str>,
    pub life: Life,
    pub waves: Vec<Waiting>,
    pub arrivals: u64,
    pub received: u64,
    pub lost: BTreeMap<&'static str, u64>,
    /// The place of each loss that no reader has been told of.
    pub gaps: Vec<u64>,
    /// How many waves were taken back, which need no room.
    pub came_back: usize,
    /// How many waves are reserved here, and for how many of them room is held.
    pub pending: usize,
    pub held: usize,
}

impl Plain {
    pub fn lose(&mut self, reason: Reason, arrival: u64, id: u64, dropped: &mut Vec<u64>) {
        *self.lost.entry(reason.name()).or_default() += 1;
        self.gaps.push(arrival);
        dropped.push(id);
    }

    /// Whether it keeps emissions waiting or refuses them while it is full.
    pub fn guards(&self) -> bool {
        matches!(self.how.overflow, Overflow::Block | Overflow::Error)
    }

    /// Whether there is no room but what is held.
    pub fn is_stuffed(&self) -> bool {
        self.waves.len() + self.held >= self.how.capacity
    }

    /// Whether nothing comes any more.
    pub fn is_final(&self) -> bool {
        match self.life {
            Life::Open => false,
            Life::Closing => self.pending == 0,
            Life::Closed | Life::Gone => true,
        }
    }

    /// How loud a waiting wave is now.
    pub fn loudness(&self, wave: &Waiting, now: f64) -> f64 {
        match self.how.order {
            Order::Fresh => wave.shot.amplitude * FACTOR.powf(now - wave.entered),
            Order::Amplitude | Order::Fifo => wave.shot.amplitude,
        }
    }

    /// Returns whether anything went.
    pub fn purge(&mut self, now: f64, dropped: &mut Vec<u64>) -> bool {
        let before = self.waves.len();
        for wave in self.waves.clone() {
            let faded =
                self.how.order == Order::Fresh && self.loudness(&wave, now) < self.how.floor;
            let reason = match (wave.expires < now, faded) {
                (true, _) => Reason::Expired,
                (false, true) => Reason::Faded,
                (false, false) => continue,
            };
            self.waves.retain(|other| other.arrival != wave.arrival);
            self.lose(reason, wave.arrival, wave.id, dropped);
        }
        self.waves.len() < before
    }

    /// The place of the wave that leaves first.
    pub fn first(&self, now: f64) -> Option<usize> {
        let rank = |wave: &Waiting| match self.how.order {
            Order::Fifo => 0.0,
            Order::Amplitude => wave.shot.priority,
            Order::Fresh => self.loudness(wave, now),
        };
        let mut places: Vec<usize> = (0..self.waves.len()).collect();
        places.sort_by(|&left, &right| {
            let (left, right) = (&self.waves[left], &self.waves[right]);
            rank(right).total_cmp(&rank(left)).then(left.arrival.cmp(&right.arrival))
        });
        places.first().copied()
    }

    pub fn pop(&mut self, now: f64, dropped: &mut Vec<u64>) -> Option<(Waiting, u64)> {
        self.purge(now, dropped);
        let wave = self.waves.remove(self.first(now)?);
        self.received += 1;
        let before = self.gaps.len();
        self.gaps.retain(|&place| place > wave.arrival);
        Some((wave, (before - self.gaps.len()) as u64))
    }

    pub fn take_back(&mut self, wave: Waiting, missed: u64, dropped: &mut Vec<u64>) {
        if self.life == Life::Gone {
            return dropped.push(wave.id);
        }
        self.received -= 1;
        self.gaps.extend((0..missed).map(|_| wave.arrival));
        let same = |other: &Waiting| other.shot.channel == wave.shot.channel;
        if self.life == Life::Closed {
            self.lose(Reason::Abandoned, wave.arrival, wave.id, dropped);
        } else if self.how.overflow == Overflow::Conflate && self.waves.iter().any(same) {
            self.lose(Reason::Conflated, wave.arrival, wave.id, dropped);
        } else {
            self.came_back += 1;
            self.waves.push(wave);
        }
    }

    /// `Err`: why the wave itself went.
    pub fn put(
        &mut self,
        mut wave: Waiting,
        now: f64,
        dropped: &mut Vec<u64>,
    ) -> Result<(), Reason> {
        if wave.expires < now {
            self.lose(Reason::Expired, self.arrivals, wave.id, dropped);
            return Err(Reason::Expired);
        }
        let conflates = self.how.overflow == Overflow::Conflate;
        if conflates || self.is_stuffed() {
            self.purge(now, dropped);
        }
        if conflates {
            let same = |other: &&mut Waiting| other.shot.channel == wave.shot.channel;
            if let Some(other) = self.waves.iter_mut().find(same) {
                wave.arrival = other.arrival;
                let (arrival, id) = (other.arrival, other.id);
                *other = wave;
                self.lose(Reason::Conflated, arrival, id, dropped);
                return Ok(());
            }
        }
        wave.arrival = self.arrivals;
        if self.guards() {
            assert!(!self.is_stuffed() || self.came_back > 0, "the medium had room");
        } else if self.is_stuffed() {
            let (reason, place) = match self.how.overflow {
                Overflow::Block | Overflow::Error | Overflow::Replay => {
                    unreachable!("they have room")
                }
                Overflow::DropNewest => (Reason::Full, None),
                Overflow::DropOldest | Overflow::Conflate => {
                    let oldest = (0..self.waves.len()).min_by_key(|&at| self.waves[at].arrival);
                    (Reason::Oldest, oldest)
                }
                Overflow::DropFaintest => {
                    let fainter = |&left: &usize, &right: &usize| {
                        let (left, right) = (&self.waves[left], &self.waves[right]);
                        let loud = |wave| self.loudness(wave, now);
                        loud(left).total_cmp(&loud(right)).then(right.arrival.cmp(&left.arrival))
                    };
                    let faintest = (0..self.waves.len()).min_by(fainter);
                    let loud = |at: &usize| self.loudness(&self.waves[*at], now);
                    (Reason::Faintest, faintest.filter(|at| loud(at) < wave.shot.amplitude))
                }
            };
            match place {
                None => {
                    self.lose(reason, self.arrivals, wave.id, dropped);
                    return Err(reason);
                }
                Some(place) => {
                    let gone = self.waves.remove(place);
                    self.lose(reason, gone.arrival, gone.id, dropped);
                }
            }
        }
        self.arrivals += 1;
        self.waves.push(wave);
        Ok(())
    }

    pub fn empty(&mut self, reason: Reason, dropped: &mut Vec<u64>) {
        for wave in std::mem::take(&mut self.waves) {
            self.lose(reason, self.arrivals, wave.id, dropped);
        }
    }
}
