//! Whose turn it is to take waves out of a journal: one at a time, and nobody once it ends.
//!
//! Contract:
//! - A turn is no lock: while somebody has it, others are told who, and wait or give up as they like. So Python code
//!   may run in it (the progress of a call), and whatever that asks for is answered.
//! - [`Turns::end`] has whoever has the turn stop at the next block, and gives nobody another one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Who has the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The thread of the retention, which runs no Python code in its turn.
    Retention,
    /// A call in this thread of Python's.
    Call(u64),
}

/// Why somebody does not get the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Somebody else has it.
    Taken(Owner),
    /// There are no more.
    Ended,
}

/// The turns of one journal.
#[derive(Default)]
pub struct Turns {
    owner: Mutex<Option<Owner>>,
    freed: Condvar,
    ended: AtomicBool,
}

/// While it lives, it is somebody's turn.
pub struct Turn<'t>(&'t Turns);

impl Turns {
    /// Takes the turn, if it is free.
    pub fn take(&self, owner: Owner) -> Result<Turn<'_>, Denied> {
        let mut now = self.owner.lock();
        if self.has_ended() {
            return Err(Denied::Ended);
        }
        if let Some(other) = *now {
            return Err(Denied::Taken(other));
        }
        *now = Some(owner);
        Ok(Turn(self))
    }

    /// Waits, unattached, until the turn may be free, at most so long.
    pub fn wait_for(&self, most: Duration) {
        let mut owner = self.owner.lock();
        if owner.is_some() {
            self.freed.wait_for(&mut owner, most);
        }
    }

    /// Nobody gets the turn any more, and who has it is to stop. False: that is who asks, so nothing is ended.
    pub fn end(&self, asks: Owner) -> bool {
        let owner = self.owner.lock();
        let ends = *owner != Some(asks);
        if ends {
            self.ended.store(true, Ordering::Release);
        }
        ends
    }

    /// Whether who has the turn is to stop.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits, unattached, until nobody has the turn.
    pub fn until_free(&self) {
        let mut owner = self.owner.lock();
        while owner.is_some() {
            self.freed.wait(&mut owner);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.owner.lock() = None;
        self.0.freed.notify_all();
    }
}
