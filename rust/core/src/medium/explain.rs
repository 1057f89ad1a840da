//! Why a wave would or would not reach each mailbox.

use std::sync::Arc;

use super::{Key, Medium};
use crate::channel::Pattern;
use crate::mailbox::{Arrival, Mailbox, Overflow, Phase as BoxPhase, Victim};
use crate::reason::Reason;
use crate::sync::RawLock;

/// What would happen to a wave at one mailbox.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It would be delivered.
    Reached,
    /// It would be delivered, and another wave would go for it.
    Overflows(Overflow),
    /// The mailbox is full, and the wave itself would go.
    Drops(Reason),
    /// No pattern of the mailbox matches the channel.
    Pattern,
    /// It is fainter than this noise floor.
    NoiseFloor(f64),
    /// The mailbox ignores its owner's waves.
    Own,
    /// The mailbox is full: the emitter would wait.
    Full,
    /// The mailbox is full: the emitter would be refused.
    Refused,
    /// The mailbox is closed.
    Closed,
}

/// The answer for one mailbox.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub key: Key,
    /// The label of its vibrator.
    pub name: Arc<str>,
    /// Whether it feeds handlers.
    pub lane: bool,
    /// What it resonates on.
    pub patterns: Vec<Pattern>,
    /// What would happen.
    pub verdict: Verdict,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// For each mailbox, whether a wave on this concrete channel would reach it and, if not, why. What is
    /// expired or faded by now does not count, and stays.
    pub fn explain(&self, channel: &str, amplitude: f64, emitter: u64) -> Vec<Row> {
        let state = self.lock();
        let mut matching = Vec::new();
        state.router.walk(channel, &mut |member| matching.push(member));
        let wave = Arrival { channel, amplitude, priority: amplitude, expires: f64::INFINITY };
        let clock = &state.clock;
        let verdict = |key: Key, mailbox: &Mailbox<T, W>| match mailbox.overflow() {
            _ if mailbox.phase() != BoxPhase::Open => Verdict::Closed,
            _ if !matching.contains(&key.index) => Verdict::Pattern,
            _ if mailbox.ignores(emitter) => Verdict::Own,
            _ if amplitude < mailbox.noise_floor() => Verdict::NoiseFloor(mailbox.noise_floor()),
            Overflow::Block if mailbox.stays_full(clock) => Verdict::Full,
            Overflow::Error if mailbox.stays_full(clock) => Verdict::Refused,
            policy => match mailbox.victim(&wave, clock) {
                Some(Victim::Newcomer(reason)) => Verdict::Drops(reason),
                Some(Victim::Another) => Verdict::Overflows(policy),
                None => Verdict::Reached,
            },
        };
        let row = |(key, mailbox)| {
            let mailbox: &Mailbox<T, W> = mailbox;
            Row {
                key,
                name: Arc::clone(mailbox.name()),
                lane: mailbox.is_lane(),
                patterns: mailbox.patterns().iter().cloned().collect(),
                verdict: verdict(key, mailbox),
            }
        };
        state.boxes.iter().filter(|(_, mailbox)| !mailbox.is_aside()).map(row).collect()
    }
}
