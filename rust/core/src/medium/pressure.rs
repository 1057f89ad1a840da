//! How many waves may wait in a medium, and which go first when many do.
//!
//! Contract:
//! - Without [`Medium::limit_queued`] nothing is looked at. With it, no emission is admitted by which more than
//!   [`Most::hard`] waves would wait: it is refused, and nobody has got it.
//! - Over [`Most::soft`] the medium has a noise floor of its own, which rises from 0 there to 1 at the hard limit. A fainter
//!   wave is shed: admitted, and let go by every mailbox that it matches, as [`Reason::Shed`].
//! - With a journal, a wave on its way to a mailbox waits already; one that is shed is written all the same, and who reads
//!   from there has it.
//!
//! What waits is not counted as it comes and goes. It grows by deliveries alone, which are counted: so at each look it is
//! said how many of them have to come before there can be anything to look at ([`Counted::mark`]). What else may make it grow
//! brings the next look about. A look takes a step for each mailbox; over the soft limit there is one for each emission.

use super::statistics::Counted;
use super::{Aftermath, Carry, Emission, Medium, Phase, Refusal, Sent, State, note_episode};
use crate::mailbox::Mailbox;
use crate::reason::{Reason, Tally};
use crate::router::Hint;
use crate::sync::RawLock;

/// How many waves may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// From so many on, faint waves are shed: no more than `hard`.
    pub soft: u64,
    /// So many at most.
    pub hard: u64,
}

impl Most {
    /// The noise floor while so many wait.
    pub fn floor(self, waiting: u64) -> f64 {
        let Self { soft, hard } = self;
        if waiting <= soft || hard <= soft {
            return 0.0;
        }
        ((waiting - soft) as f64 / (hard - soft) as f64).min(1.0)
    }
}

/// What the limit has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// The limit, if there is one.
    pub most: Option<Most>,
    /// Waves that wait now, those on their way from a journal included.
    pub waiting: u64,
    /// The noise floor of the medium now.
    pub floor: f64,
    /// Emissions that were shed.
    pub shed: u64,
}

/// The limit of a medium.
#[derive(Debug, Default)]
pub(super) struct Limited {
    most: Option<Most>,
    shed: u64,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Admits only so many waves from now on; `None`: however many.
    pub fn limit_queued(&self, most: Option<Most>) {
        let mut state = self.lock();
        state.limited.most = most;
        state.look_again();
    }

    /// What the limit has come to.
    pub fn pressure(&self) -> Pressure {
        let state = self.lock();
        let Limited { most, shed } = state.limited;
        let waiting = state.count_queued();
        let floor = most.map_or(0.0, |most| most.floor(waiting));
        Pressure { most, waiting, floor, shed }
    }
}

impl Counted {
    /// Whether an emission has to be looked at before it is admitted: by the limit, or as the medium is not open.
    #[inline]
    pub(super) fn is_marked(&self) -> bool {
        self.delivered >= self.mark
    }
}

impl<T, W> State<T, W> {
    /// The next emission is looked at, if there is anything to look for.
    pub(super) fn look_again(&mut self) {
        let free = self.phase == Phase::Open && self.limited.most.is_none();
        self.counted.mark = if free { u64::MAX } else { 0 };
    }

    /// An emission of so many waves is on its way, and will be counted later.
    pub(super) fn note_reserved(&mut self, waves: usize) {
        if self.limited.most.is_some() {
            self.counted.mark = self.counted.mark.saturating_sub(waves as u64);
        }
    }

    fn count_queued(&self) -> u64 {
        let waves = |mailbox: &Mailbox<T, W>| mailbox.len() + mailbox.on_the_way();
        self.boxes.iter().map(|(_, mailbox)| waves(mailbox) as u64).sum()
    }

    /// Whether an emission is to be shed. Called where [`Counted::is_marked`].
    #[cold]
    #[inline(never)]
    pub(super) fn is_shed(
        &mut self,
        emission: &Emission<'_>,
        hint: &mut Hint,
    ) -> Result<bool, Refusal> {
        if self.phase != Phase::Open && (self.phase == Phase::Closed || !emission.inside) {
            return Err(Refusal::Closed);
        }
        let Some(most) = self.limited.most else { return Ok(false) };
        let waiting = self.count_queued();
        if self.phase == Phase::Open {
            // No emission reaches more mailboxes than there are.
            let all = self.boxes.len() as u64;
            let safe = most.soft.min(most.hard.saturating_sub(all)).saturating_sub(waiting);
            self.counted.mark = self.counted.delivered + safe;
        }
        let (matched, _) = self.survey(emission, hint);
        let reached = self.matching(emission, hint).len() as u64;
        if matched < emission.require || reached == 0 {
            return Ok(false);
        }
        if emission.amplitude < most.floor(waiting) {
            self.limited.shed += 1;
            return Ok(true);
        }
        if waiting + reached > most.hard {
            return Err(Refusal::Queued { waiting, most: most.hard });
        }
        Ok(false)
    }

    /// Admits a wave that reaches nobody.
    #[cold]
    pub(super) fn shed(
        &mut self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        item: &T,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Sent {
        let matching = self.matching(emission, hint);
        self.counted.count_domain(emission.channel, *hint);
        self.counted.sequence += 1;
        let sequence = self.counted.sequence;
        carry.number(item, sequence);
        for &index in &matching {
            if let Some(mailbox) = self.boxes.at_mut(index) {
                mailbox.shed(sequence);
                note_episode(mailbox, &mut after.episodes);
            }
        }
        self.keep_last(emission, sequence, || carry.share(item), after);
        let matched = matching.len();
        let mut reasons = Tally::default();
        reasons.add(Reason::Shed, matched as u64);
        Sent { sequence, matched, dropped: matched, lanes: 0, reasons: Some(Box::new(reasons)) }
    }
}
