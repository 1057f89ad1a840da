//! What waits in all mailboxes of a medium that limits it, counted as it comes and goes.
//!
//! Contract:
//! - Counted is what lies in a mailbox, ahead of its queue included, from the moment it is put there until it is taken or
//!   let go. One wave in three mailboxes counts three times.
//! - A wave weighs the same whenever it is asked, so that what goes is what came.
//! - A mailbox that is counted is careful, and its waves go in and out the longer way, where they are counted. One that is
//!   not has nothing to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Mailbox;

/// So many waves, and what they weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) waves: u64,
    pub(crate) weight: u64,
}

/// The count of one medium, which all of its mailboxes share. It changes under the lock of the medium alone.
#[derive(Debug)]
pub(crate) struct Load<T> {
    weigh: fn(&T) -> u64,
    waves: AtomicU64,
    weight: AtomicU64,
}

impl<T> Load<T> {
    pub(crate) fn new(weigh: fn(&T) -> u64) -> Self {
        Self { weigh, waves: AtomicU64::new(0), weight: AtomicU64::new(0) }
    }

    /// What waits now.
    pub(crate) fn amount(&self) -> Amount {
        let (waves, weight) = (&self.waves, &self.weight);
        Amount { waves: waves.load(Ordering::Relaxed), weight: weight.load(Ordering::Relaxed) }
    }

    fn set(&self, waves: u64, weight: u64) {
        self.waves.store(waves, Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
    }

    fn add(&self, item: &T) {
        let Amount { waves, weight } = self.amount();
        self.set(waves + 1, weight.saturating_add((self.weigh)(item)));
    }

    fn remove(&self, item: &T) {
        let Amount { waves, weight } = self.amount();
        self.set(waves - 1, weight.saturating_sub((self.weigh)(item)));
    }
}

impl<T, W> Mailbox<T, W> {
    /// What waits in it is counted here from now on, and was not anywhere; or nowhere any more.
    pub(crate) fn count_in(&mut self, load: Option<Arc<Load<T>>>) {
        if let Some(load) = &load {
            self.for_each(&mut |item| load.add(item));
        }
        self.rest.load = load;
        self.note_care();
    }

    pub(super) fn is_counted(&self) -> bool {
        self.rest.load.is_some()
    }

    /// A wave comes in.
    #[inline]
    pub(super) fn comes(&self, item: &T) {
        if let Some(load) = &self.rest.load {
            load.add(item);
        }
    }

    /// A wave that was counted goes.
    #[inline]
    pub(super) fn goes(&self, item: &T) {
        if let Some(load) = &self.rest.load {
            load.remove(item);
        }
    }
}
