//! What must hold after every step.

use super::plain::{Life, Plain};
use super::support::weigh;
use super::world::{Reader, World};

impl World {
    pub fn compare(&self) {
        let sorted = |mut numbers: Vec<u32>| {
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(sorted(self.rig.wakes()), sorted(self.wakes.clone()), "wakes");
        let (mut dropped, mut expected) = (self.rig.dropped(), self.dropped.clone());
        dropped.sort_unstable();
        expected.sort_unstable();
        assert_eq!(dropped, expected, "dropped");

        let said = self.rig.medium.statistics();
        let sum = |count: fn(&Plain) -> u64| self.boxes.iter().map(count).sum::<u64>();
        let lost = sum(|one| one.lost.values().sum());
        let waiting = sum(|one| one.waves.len() as u64);
        let received = sum(|one| one.received);
        assert_eq!((said.emitted, said.unheard), (self.emitted, self.unheard));
        assert_eq!((said.delivered, said.received), (self.delivered, received));
        assert_eq!((said.waiting, said.dropped.total()), (waiting, lost));
        assert_eq!(said.waiting_send, self.senders.len());
        assert_eq!(self.delivered, received + waiting + lost - self.refused, "nothing gets lost");

        for (at, one) in self.boxes.iter().enumerate() {
            if one.life != Life::Gone {
                assert_eq!(self.rig.medium.waiting(one.key), one.waves.len());
            }
            assert!(one.waves.len() + one.held <= one.how.capacity + one.came_back);
            assert!(self.promises(at) <= 1);
            self.nobody_sleeps_beside_work(at);
        }
        let booked =
            |at| self.booked.iter().filter(move |one| one.places.iter().any(|&(o, _)| o == at));
        for (at, one) in self.boxes.iter().enumerate() {
            assert_eq!(one.pending, booked(at).count());
        }
        assert_eq!(self.rig.medium.is_quiet(), self.is_quiet());
        if self.limited {
            self.what_is_counted_is_there();
        }
        for sender in self.senders.iter().filter(|sender| sender.promised.is_none()) {
            let mut full: Vec<_> = self.blocking(&sender.shot);
            full.retain(|&at| self.is_full(at));
            assert!(!full.is_empty(), "it waits for nothing");
            assert_eq!(self.rig.medium.full_for(sender.ticket).len(), full.len());
        }
    }

    fn what_is_counted_is_there(&self) {
        let (mut waves, mut weight) = (0, 0);
        self.rig.medium.for_each_waiting(&mut |item| {
            waves += 1;
            weight += weigh(item);
        });
        assert_eq!(waves, self.boxes.iter().map(|one| one.waves.len()).sum::<usize>());
        waves += self.booked.iter().map(|one| one.places.len()).sum::<usize>();
        let said = self.rig.medium.pressure();
        assert_eq!((said.waiting, said.weight), (waves as u64, weight), "as they came and went");
    }

    fn is_quiet(&self) -> bool {
        let unread = |reader: &Reader| !self.boxes[reader.at].waves.is_empty();
        self.booked.is_empty() && !self.readers.iter().any(unread)
    }

    /// A reader that is listed while enough waves lie there has others before it, on their way to them.
    fn nobody_sleeps_beside_work(&self, at: usize) {
        let (one, waiting) = (&self.boxes[at], self.boxes[at].waves.len());
        let here = || self.readers.iter().filter(|reader| reader.at == at);
        let woken = here().filter(|reader| reader.woken).count();
        for reader in here().filter(|reader| !reader.woken) {
            let want = reader.want.min(one.how.capacity);
            assert!(waiting < want || woken > waiting - want, "a wake-up was lost");
            assert!(!one.is_final(), "the end wakes everybody");
        }
    }
}
