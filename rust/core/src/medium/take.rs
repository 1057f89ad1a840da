//! Taking waves out of mailboxes, and waiting for them.

use super::{Actor, Aftermath, Emission, Key, Medium, State, note_episode};
use crate::mailbox::{Left, Mailbox, Taken, WaiterId};
use crate::sync::RawLock;

/// What a mailbox had.
#[derive(Debug)]
pub enum Take<T> {
    /// A wave, out of the mailbox now.
    Wave(Taken<T>),
    /// Nothing yet.
    Empty,
    /// Nothing, for ever.
    Ended,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Takes the wave that leaves first. `waiter`: the caller was enlisted and resumes; it is no more.
    #[inline]
    pub fn take(&self, key: Key, waiter: Option<WaiterId>, after: &mut Aftermath<T, W>) -> Take<T> {
        let mut state = self.lock();
        if let Some(waiter) = waiter {
            state.unlist(key, waiter, after);
        }
        state.take(key, after)
    }

    /// Takes the wave that leaves first, if that concerns nobody else; otherwise nothing has happened. Where to
    /// take it takes a while, `fetch` gets a look at it before. It must not run foreign code.
    #[inline]
    pub fn take_quickly(&self, key: Key, fetch: impl FnOnce(&T)) -> Option<Taken<T>> {
        let mut state = self.lock();
        if state.boxes.refills.attentive {
            return None;
        }
        let mailbox = state.boxes.get_mut(key)?;
        mailbox.greatest().map(fetch);
        mailbox.take_quickly()
    }

    /// Takes up to `most` waves, if that concerns nobody else and none was lost; otherwise, or if none waits,
    /// nothing has happened.
    pub fn take_many_quickly(&self, key: Key, most: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        if !state.boxes.refills.attentive {
            state.boxes.get_mut(key)?.take_line(most, &mut taken);
        }
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes up to `most` waves if at least `least` wait, or the mailbox holds no more, or it has ended;
    /// returns how many were missed with them, or `None` if it ended and nothing was left.
    pub fn take_many(
        &self,
        key: Key,
        waiter: Option<WaiterId>,
        (least, most): (usize, usize),
        taken: &mut Vec<T>,
        after: &mut Aftermath<T, W>,
    ) -> Option<u64> {
        let mut state = self.lock();
        let woken = waiter.is_some_and(|waiter| state.unlist(key, waiter, after));
        let before = taken.len();
        state.purge(key, after);
        let enough = state
            .boxes
            .get(key)
            .is_none_or(|mailbox| mailbox.is_final() || mailbox.len() >= mailbox.enough(least));
        let mut missed = 0;
        if enough && !state.boxes.refills.attentive {
            if let Some(mailbox) = state.boxes.get_mut(key) {
                mailbox.take_line(most, taken);
            }
        }
        while enough && taken.len() < most {
            match state.take(key, after) {
                Take::Wave(wave) => {
                    taken.push(wave.item);
                    missed += wave.missed;
                }
                Take::Ended if taken.is_empty() => return None,
                Take::Empty | Take::Ended => break,
            }
        }
        if woken && taken.len() == before {
            state.wake_another(key, after);
        }
        Some(missed)
    }

    /// Whether nothing waits in a mailbox, nothing is on the way to it, and it has nothing to read.
    pub fn is_drained(&self, key: Key) -> bool {
        let drained = |mailbox: &Mailbox<T, W>| {
            mailbox.len() == 0 && !mailbox.awaits_wave() && !mailbox.has_unread()
        };
        self.lock().boxes.get(key).is_none_or(drained)
    }

    /// How many waves wait.
    pub fn waiting(&self, key: Key) -> usize {
        self.lock().boxes.get(key).map_or(0, crate::mailbox::Mailbox::len)
    }

    /// Puts a reader on the list, to be woken when a wave comes or the mailbox ends.
    ///
    /// Gives the waker back if there is a reason to try again at once: fewer than `want` waves made the
    /// caller wait, but now they are there. `with` is asked whether the first of those who wait already
    /// may wait together with the new one.
    pub fn enlist_receiver(
        &self,
        key: Key,
        waker: W,
        want: usize,
        with: impl FnOnce(&W, &W) -> bool,
    ) -> Result<WaiterId, Unlisted<W>> {
        let mut state = self.lock();
        let Some(mailbox) = state.boxes.get_mut(key) else { return Err(Unlisted::Retry(waker)) };
        let want = if want > 1 { mailbox.enough(want) } else { 1 };
        if mailbox.is_final() || mailbox.len() >= want {
            return Err(Unlisted::Retry(waker));
        }
        if mailbox.waiters.listed().next().is_some_and(|first| !with(first, &waker)) {
            return Err(Unlisted::Apart(waker));
        }
        Ok(mailbox.waiters.join(waker, want))
    }

    /// A reader that was enlisted goes without taking anything; a wake-up that it has had goes to the next.
    pub fn abandon_receiver(&self, key: Key, waiter: WaiterId, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        if state.unlist(key, waiter, after) {
            state.wake_another(key, after);
        }
        state.stir(after);
    }

    /// Takes a wave back that was taken and never reached its reader, and has another reader woken for it.
    /// `emission` says what it says of the wave.
    pub fn take_back(
        &self,
        key: Key,
        taken: Taken<T>,
        emission: &Emission<'_>,
        after: &mut Aftermath<T, W>,
    ) {
        let mut state = self.lock();
        let State { boxes, clock, .. } = &mut *state;
        let Some(mailbox) = boxes.get_mut(key) else {
            after.garbage.push(taken.item);
            return;
        };
        mailbox.take_back(taken, &emission.arrival(clock), clock, &mut after.garbage);
        note_episode(mailbox, &mut after.episodes);
        state.wake_another(key, after);
        state.stir(after);
    }

    /// A waker of this mailbox came to nothing, because its loop is gone: another reader is woken.
    pub fn pass_on(&self, key: Key, after: &mut Aftermath<T, W>) {
        self.lock().wake_another(key, after);
    }

    /// Wakes every reader of a mailbox, to see for itself whether it still belongs here.
    pub fn call_readers(&self, key: Key, after: &mut Aftermath<T, W>) {
        if let Some(mailbox) = self.lock().boxes.get_mut(key) {
            after.wakes.extend(mailbox.waiters.wake_all());
        }
    }

    /// So many more tasks will read a mailbox: until they have begun, there is no proof that emitters are
    /// stuck.
    pub fn expect_readers(&self, key: Key, more: usize) {
        if let Some(mailbox) = self.lock().boxes.get_mut(key) {
            mailbox.expect_readers(more);
        }
    }

    /// Notes who reads a mailbox, for the proof that a ring of emitters is stuck; `None`: somebody
    /// whom nobody can name, so that there is no proof.
    pub fn read_by(&self, key: Key, reader: Option<Actor>) {
        if let Some(mailbox) = self.lock().boxes.get_mut(key) {
            mailbox.read_by(reader);
        }
    }
}

/// Why a reader was not put on the list; its waker comes back.
#[derive(Debug)]
pub enum Unlisted<W> {
    /// There is something to take, or the end.
    Retry(W),
    /// Those who wait already may not wait together with it.
    Apart(W),
}

impl<T, W> State<T, W> {
    #[inline]
    fn take(&mut self, key: Key, after: &mut Aftermath<T, W>) -> Take<T> {
        let Self { boxes, clock, .. } = self;
        let Some(mailbox) = boxes.get_mut(key) else { return Take::Ended };
        let taken = mailbox.take(clock, &mut after.garbage);
        if !after.garbage.is_empty() {
            note_episode(mailbox, &mut after.episodes);
        }
        let last = mailbox.is_final();
        if !mailbox.senders.is_empty() {
            self.offer_room(key.index, after);
        }
        if self.boxes.refills.attentive {
            self.attend(key, after);
        }
        match taken {
            Some(wave) => Take::Wave(wave),
            None if last => Take::Ended,
            None => Take::Empty,
        }
    }

    /// Somebody wants to know of what was taken.
    #[cold]
    fn attend(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        self.stir(after);
        self.feed(key, after);
    }

    /// A reader was woken in vain: if enough waves lie there for another one, it is woken instead.
    fn wake_another(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        after.wakes.extend(self.boxes.get_mut(key).and_then(Mailbox::wake_one));
    }

    /// Whether the waiter had been woken.
    fn unlist(&mut self, key: Key, waiter: WaiterId, after: &mut Aftermath<T, W>) -> bool {
        match self.boxes.get_mut(key).map(|mailbox| mailbox.waiters.leave(waiter)) {
            Some(Left::Listed(waker)) => {
                after.spent.push(waker);
                false
            }
            Some(Left::Woken) => true,
            None => false,
        }
    }
}
