//! What whoever keeps count of a reader's waves asks of its mailbox: which wait, from where on more are to come, and
//! to take one again that the reader has had.
//!
//! Contract:
//! - A [`Horizon`] is one moment of a mailbox: a wave up to `sure` that is not among those that wait has been taken, or
//!   was lost by a rule of the mailbox, or does not match.
//! - It stands still once the mailbox has no patterns any more: what is emitted then passes it by unseen.
//! - [`Medium::bring`] puts a wave into an open mailbox that has room for it, behind or live, and never waits.

use super::{Aftermath, BoxPhase, Emission, Key, Medium, State, note_episode};
use crate::mailbox::Mailbox;
use crate::sync::RawLock;

/// See [`Medium::horizon`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// The waves that wait, up to the sequence that was asked for, and in no order.
    pub waiting: Vec<u64>,
    /// No wave up to here is to come any more, and none waits that is not listed.
    pub sure: u64,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// The waves up to `until` that wait in a mailbox, and how far that says all. `number` gives the sequence of a
    /// wave; 0: it has none. `None`: the mailbox is closed, so that nobody knows what has waited there.
    pub fn horizon(&self, key: Key, until: u64, number: impl Fn(&T) -> u64) -> Option<Horizon> {
        let state = self.lock();
        let mailbox = state.boxes.get(key).filter(|one| one.phase() != BoxPhase::Closed)?;
        let to_come = mailbox.looked_at(state.counted.sequence);
        let (mut waiting, mut beyond) = (Vec::new(), u64::MAX);
        mailbox.each_until(&mut |item| {
            let sequence = number(item);
            if sequence > until {
                beyond = beyond.min(sequence);
            } else if sequence > 0 {
                waiting.push(sequence);
            }
            sequence <= until
        });
        Some(Horizon { waiting, sure: to_come.min(beyond - 1) })
    }

    /// Puts a wave in once more; `false`: the mailbox has no room for it, or takes no waves. The wave is garbage then.
    pub fn bring(
        &self,
        key: Key,
        emission: &Emission<'_>,
        item: T,
        after: &mut Aftermath<T, W>,
    ) -> bool {
        let mut state = self.lock();
        let State { boxes, clock, .. } = &mut *state;
        let open =
            |mailbox: &&mut Mailbox<T, W>| mailbox.phase() == BoxPhase::Open && mailbox.room() > 0;
        let Some(mailbox) = boxes.get_mut(key).filter(open) else {
            after.garbage.push(item);
            return false;
        };
        let arrival = emission.arrival(clock);
        let before = mailbox.len();
        // One that has expired is counted as lost, here as anywhere.
        let _ = mailbox.as_made(|mailbox| mailbox.put(item, &arrival, clock, &mut after.garbage));
        if mailbox.len() > before {
            after.wakes.extend(mailbox.wake_one());
        }
        note_episode(mailbox, &mut after.episodes);
        state.stir(after);
        true
    }

    /// Whether a mailbox takes no more waves and has none left for its readers.
    pub fn has_ended(&self, key: Key) -> bool {
        self.lock().boxes.get(key).is_none_or(Mailbox::is_final)
    }
}
