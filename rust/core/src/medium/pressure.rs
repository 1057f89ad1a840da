//! How much may wait in a medium, and what goes first when much does.
//!
//! Contract:
//! - Without [`Medium::limit_queued`] nothing is looked at, and nothing is counted. With it, no emission is admitted by
//!   which more than [`Most::hard`] would wait, waves or weight: it is refused, and nobody has got it.
//! - Over [`Most::soft`] the medium has a noise floor of its own, which rises from 0 there to 1 at the hard limit; of the
//!   two that there may be, the higher one counts. A fainter wave is shed: admitted, and let go by every mailbox that it
//!   matches, as [`Reason::Shed`].
//! - With a journal, a wave on its way to a mailbox waits already; one that is shed is written all the same, and who reads
//!   from there has it.
//! - What does not come by an emission goes in whatever waits, and is counted: what was taken back, comes again by a cursor,
//!   from a journal or as a last wave.
//!
//! What waits is counted as it comes and goes, see `crate::mailbox::load`: so each emission takes a comparison or two, and
//! looks at its route only where it may be shed or refused.

use std::sync::Arc;

use super::{Aftermath, Carry, Emission, Medium, Phase, Refusal, Sent, State, note_episode};
use crate::mailbox::{Amount, Load};
use crate::reason::{Reason, Tally};
use crate::router::Hint;
use crate::sync::RawLock;

/// How much of something may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// From so much on, faint waves are shed: no more than `hard`.
    pub soft: u64,
    /// So much at most.
    pub hard: u64,
}

impl Most {
    /// However much.
    pub const NONE: Self = Self { soft: u64::MAX, hard: u64::MAX };

    /// The noise floor while so much waits.
    pub fn floor(self, waiting: u64) -> f64 {
        let Self { soft, hard } = self;
        if waiting <= soft || hard <= soft {
            return 0.0;
        }
        ((waiting - soft) as f64 / (hard - soft) as f64).min(1.0)
    }

    /// Whether there may not be so much more.
    fn is_passed(self, waiting: u64, more: u64) -> bool {
        more > 0 && waiting.saturating_add(more) > self.hard
    }
}

/// How many waves may wait, and what they may weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Waves.
    pub waves: Most,
    /// Their weight.
    pub weight: Most,
}

impl Bounds {
    fn floor(self, waiting: Amount) -> f64 {
        self.waves.floor(waiting.waves).max(self.weight.floor(waiting.weight))
    }

    /// Why a wave of this weight may not reach so many mailboxes now.
    fn refusal(self, waiting: Amount, reached: u64, weight: u64) -> Option<Refusal> {
        let Self { waves, weight: heavy } = self;
        if waves.is_passed(waiting.waves, reached) {
            return Some(Refusal::Queued { waiting: waiting.waves, most: waves.hard });
        }
        let (waiting, more) = (waiting.weight, reached.saturating_mul(weight));
        let passed = heavy.is_passed(waiting, more);
        passed.then_some(Refusal::Heavy { waiting, more, most: heavy.hard })
    }
}

/// What the limits have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// The limits, if there are any.
    pub bounds: Option<Bounds>,
    /// Waves that wait now, those on their way from a journal included; not counted without limits.
    pub waiting: u64,
    /// What they weigh.
    pub weight: u64,
    /// The noise floor of the medium now.
    pub floor: f64,
    /// Emissions that were shed.
    pub shed: u64,
}

/// The limits of a medium.
#[derive(Debug)]
pub(super) struct Limited<T> {
    of: Option<(Bounds, Arc<Load<T>>)>,
    /// What was admitted and is delivered later.
    on_the_way: Amount,
    shed: u64,
}

impl<T> Default for Limited<T> {
    fn default() -> Self {
        Self { of: None, on_the_way: Amount::default(), shed: 0 }
    }
}

impl<T> Limited<T> {
    /// Where mailboxes count what waits in them, if they do.
    pub(super) fn load(&self) -> Option<Arc<Load<T>>> {
        self.of.as_ref().map(|(_, load)| Arc::clone(load))
    }

    /// An emission is on its way to so many mailboxes.
    pub(super) fn depart(&mut self, places: u64, weight: u64) {
        self.on_the_way.waves += places;
        let more = places.saturating_mul(weight);
        self.on_the_way.weight = self.on_the_way.weight.saturating_add(more);
    }

    /// It is there, or comes no more.
    pub(super) fn arrive(&mut self, places: u64, weight: u64) {
        self.on_the_way.waves -= places;
        let less = places.saturating_mul(weight);
        self.on_the_way.weight = self.on_the_way.weight.saturating_sub(less);
    }

    /// The limits, and what waits.
    fn now(&self) -> Option<(Bounds, Amount)> {
        let (bounds, load) = self.of.as_ref()?;
        let (lies, comes) = (load.amount(), self.on_the_way);
        let weight = lies.weight.saturating_add(comes.weight);
        Some((*bounds, Amount { waves: lies.waves + comes.waves, weight }))
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Admits only so much from now on; `None`: however much. `weigh` says what an item weighs: always the same, without
    /// any foreign code. It takes a step for each wave that waits.
    pub fn limit_queued(&self, bounds: Option<Bounds>, weigh: fn(&T) -> u64) {
        let mut state = self.lock();
        state.limited.of = bounds.map(|bounds| (bounds, Arc::new(Load::new(weigh))));
        let load = state.limited.load();
        for key in state.boxes.keys() {
            if let Some(mailbox) = state.boxes.get_mut(key) {
                mailbox.count_in(load.clone());
            }
        }
        state.note_marked();
    }

    /// What the limits have come to.
    pub fn pressure(&self) -> Pressure {
        let state = self.lock();
        let shed = state.limited.shed;
        let Some((bounds, Amount { waves, weight })) = state.limited.now() else {
            return Pressure { shed, ..Pressure::default() };
        };
        let floor = bounds.floor(Amount { waves, weight });
        Pressure { bounds: Some(bounds), waiting: waves, weight, floor, shed }
    }

    /// Looks at every waiting wave of every mailbox.
    pub fn for_each_waiting(&self, each: &mut dyn FnMut(&T)) {
        self.lock().boxes.iter().for_each(|(_, mailbox)| mailbox.for_each(each));
    }
}

impl<T, W> State<T, W> {
    /// Emissions are looked at, if there is anything to look for.
    pub(super) fn note_marked(&mut self) {
        self.counted.marked = self.phase != Phase::Open || self.limited.of.is_some();
    }

    /// Whether an emission is to be shed. Called where emissions are looked at.
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
        let Some((bounds, waiting)) = self.limited.now() else { return Ok(false) };
        let faint = emission.amplitude < bounds.floor(waiting);
        // No emission reaches more mailboxes than there are.
        let all = self.boxes.len() as u64;
        if !faint && bounds.refusal(waiting, all, emission.weight).is_none() {
            return Ok(false);
        }
        let (matched, _) = self.survey(emission, hint);
        let reached = self.matching(emission, hint).len() as u64;
        if matched < emission.require || reached == 0 {
            return Ok(false);
        }
        if faint {
            self.limited.shed += 1;
            return Ok(true);
        }
        bounds.refusal(waiting, reached, emission.weight).map_or(Ok(false), Err)
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
                mailbox.shed();
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
