//! A look at all mailboxes at one moment, for who watches over a program.
//!
//! It changes nothing: what is expired or faded by now is counted as it lies there. It takes a few steps for each
//! mailbox, and one for each wave that it shows, of which there is a limit.

use std::sync::Arc;

use super::{Key, Medium};
use crate::sync::RawLock;

/// How a mailbox was used at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which it is.
    pub key: Key,
    /// The label of its vibrator.
    pub name: Arc<str>,
    /// It is that of a handler.
    pub lane: bool,
    /// Waves that wait.
    pub waiting: usize,
    /// How many may.
    pub capacity: usize,
    /// Waves taken, since it was made.
    pub received: u64,
    /// Waves that matched and were let go.
    pub lost: u64,
    /// Tasks and threads that wait for a wave.
    pub readers: usize,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// All mailboxes but those of expectations, and how many bytes the routes take. `show` is called with waves that
    /// wait and the place of their mailbox in the answer: at most `each` of a mailbox, from all over it, and `most` in all,
    /// of which each mailbox has its share.
    pub fn survey(
        &self,
        each: usize,
        most: usize,
        show: &mut dyn FnMut(usize, &T),
    ) -> (Vec<Used>, usize) {
        let state = self.lock();
        let boxes = || state.boxes.iter().filter(|(_, mailbox)| !mailbox.is_aside());
        let mut full = boxes().filter(|(_, mailbox)| mailbox.len() > 0).count();
        let (mut used, mut left) = (Vec::new(), most);
        for (key, mailbox) in boxes() {
            let place = used.len();
            used.push(Used {
                key,
                name: Arc::clone(mailbox.name()),
                lane: mailbox.is_lane(),
                waiting: mailbox.len(),
                capacity: mailbox.capacity(),
                received: mailbox.received,
                lost: mailbox.lost().total(),
                readers: mailbox.waiters.len(),
            });
            if mailbox.len() > 0 {
                left -= mailbox.show(each.min(left.div_ceil(full)), &mut |item| show(place, item));
                full -= 1;
            }
        }
        (used, state.router.heap_bytes())
    }
}
