//! The short ways of the medium. Each does what the long way does, or nothing; and it may do nothing only where
//! its contract allows for that, or the short way would never be gone.

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::Phase;

use super::plain::{Life, Plain};
use super::program::{Shot, takes};
use super::support::Carrier;
use super::world::World;

impl World {
    pub fn swift(&mut self, shot: &Shot) {
        let shot = Shot { lifetime: f64::INFINITY, require: 0, inside: false, ..shot.clone() };
        self.made += 1;
        let (item, hint) = (self.rig.item(), self.rig.hint(shot.channel));
        let mut wake = None;
        let sent = self.rig.medium.emit_to_one(shot.priority, hint, &item, &Carrier, &mut wake);
        self.rig.after.wakes.extend(wake);
        if let Some((sequence, lane)) = sent {
            let (matched, reasons) = self.emit(&shot).expect("the long way goes too");
            assert_eq!((matched, reasons.len(), lane), (1, 0, false));
            assert_eq!(sequence, self.sequence);
            self.promise();
        }
    }

    pub fn unheard(&mut self, channel: &'static str) {
        let mut hint = self.rig.hint(channel);
        let hears = |one: &Plain| one.patterns.iter().any(|pattern| takes(pattern, channel));
        let expected = self.phase == Phase::Open && !self.boxes.iter().any(hears);
        let again = self.rig.medium.emit_unheard_again(hint);
        assert!(again.is_none() || expected, "a hint that is good says the same");
        let sequence = again.or_else(|| self.rig.medium.emit_unheard(channel, &mut hint));
        self.rig.remember(channel, hint);
        assert_eq!(sequence.is_some(), expected);
        if sequence.is_some() {
            self.emitted += 1;
            self.unheard += 1;
            self.sequence += 1;
            assert_eq!(sequence, Some(self.sequence));
        }
    }

    pub fn quick(&mut self, at: usize) {
        match self.rig.medium.take_quickly(self.boxes[at].key, |_| ()) {
            Some(taken) => {
                let now = self.now();
                let expected = self.boxes[at].pop(now, &mut self.dropped);
                let expected = expected.map(|(wave, missed)| (wave.id, missed));
                assert_eq!(Some((taken.item.id, taken.missed)), expected);
                self.promise();
            }
            None => assert!(self.takes_its_time(at), "nothing was in the way"),
        }
    }

    pub fn quick_many(&mut self, at: usize, most: usize) {
        let Some(taken) = self.rig.medium.take_many_quickly(self.boxes[at].key, most) else {
            // A heap goes the long way too, even if the waves left in it are of one priority.
            let one = &self.boxes[at];
            let mixed = one
                .waves
                .windows(2)
                .any(|two| two[0].shot.priority.total_cmp(&two[1].shot.priority).is_ne());
            let sorted = matches!(one.how.overflow, Overflow::DropFaintest | Overflow::Conflate);
            let lost = !one.lost.is_empty() || one.came_back > 0;
            return assert!(mixed || sorted || lost || one.received > 0 || self.takes_its_time(at));
        };
        assert!(!taken.is_empty());
        let now = self.now();
        let most = most.min(self.boxes[at].waves.len());
        assert_eq!(taken.len(), most);
        for item in taken {
            let expected = self.boxes[at].pop(now, &mut self.dropped);
            assert_eq!(expected.map(|(wave, missed)| (wave.id, missed)), Some((item.id, 0)));
        }
        self.promise();
    }

    /// Whether somebody or something else is concerned if a wave is taken here, or there is none.
    fn takes_its_time(&self, at: usize) -> bool {
        let one = &self.boxes[at];
        let mortal = one.waves.iter().any(|wave| wave.expires < f64::INFINITY);
        let timed = mortal || one.how.order == Order::Fresh;
        let others = !self.senders.is_empty() || self.limited;
        one.life == Life::Gone || one.waves.is_empty() || timed || others
    }
}
