//! What is to go, by what segments hold: no disk is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use aether_core::channel::Pattern;

use super::{Holdings, Rule, Terms};
use crate::header::Header;
use crate::keeping::ranges::Ranges;
use crate::keeping::summary::{Held, Summary, is_left_over};
use crate::record::Wave;

/// What is to be done to a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) keep_after: Option<u64>,
    /// Segments stay that the rules would change, as a cursor has still to come to waves in them.
    pub(super) held_back: bool,
    /// The names of the segments from which waves would go, if they were not damaged.
    pub damaged: Vec<String>,
    /// The names of files whose segments were written anew before: they are removed first.
    pub left_over: Vec<String>,
}

/// One step, done as a whole or not at all: a segment is written in the place of others that stand side by side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) segments: Vec<Target>,
    pub(super) way: Way,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    /// All waves go.
    Drop {
        /// What is noted as removed.
        removed: Ranges,
        /// The last sequence that belongs to them.
        end: u64,
    },
    /// Some waves go. The segments have the same base, and one of them has all waves.
    Rewrite(Vec<Cut>),
}

/// A segment that is to be changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) header: Header,
    pub(super) waves: u64,
    pub(super) bytes: u64,
    /// Where the notes of cursors stand that are the last ones.
    pub(super) notes: BTreeSet<u64>,
}

/// Waves that go from one segment, asked of one after the other in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cut {
    /// Those made before this moment.
    Older(Option<Pattern>, f64),
    /// The first so many.
    Waves(Option<Pattern>, u64),
    /// The first ones, until so many bytes are gone.
    Bytes(Option<Pattern>, u64),
    /// The first so many of each of these channels.
    OfEach(BTreeMap<Box<str>, u64>),
}

impl Cut {
    /// Whether this wave, which is the next one, is cut.
    pub(super) fn takes(&mut self, wave: &Wave<'_>, bytes: u64) -> bool {
        let (pattern, left, used) = match self {
            Self::Older(pattern, than) => {
                return fits(pattern.as_ref(), wave.channel) && wave.time < *than;
            }
            Self::OfEach(left) => match left.get_mut(wave.channel) {
                Some(left) => (&None, left, 1),
                None => return false,
            },
            Self::Waves(pattern, left) => (&*pattern, left, 1),
            Self::Bytes(pattern, left) => (&*pattern, left, bytes),
        };
        let takes = *left > 0 && fits(pattern.as_ref(), wave.channel);
        if takes {
            *left = left.saturating_sub(used);
        }
        takes
    }

    /// About how many bytes of a segment it takes.
    fn gain(&self, summary: &Summary) -> f64 {
        let of = |channel: &str, held: &Held| match self {
            Self::Older(pattern, than) if fits(pattern.as_ref(), channel) => {
                let span = held.newest - held.oldest;
                let part = if span > 0.0 {
                    (than - held.oldest) / span
                } else {
                    f64::from(held.oldest < *than)
                };
                part.clamp(0.0, 1.0) * held.bytes as f64
            }
            Self::OfEach(left) => {
                let part = left.get(channel).map_or(0.0, |left| *left as f64 / held.waves as f64);
                part * held.bytes as f64
            }
            Self::Older(..) | Self::Waves(..) | Self::Bytes(..) => 0.0,
        };
        match self {
            Self::Bytes(_, bytes) => *bytes as f64,
            Self::Waves(_, waves) => *waves as f64 / summary.waves as f64 * summary.size as f64,
            _ => summary.channels.iter().map(|(channel, held)| of(channel, held)).sum(),
        }
    }
}

fn fits(pattern: Option<&Pattern>, channel: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(channel))
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.left_over.is_empty()
    }

    /// The names of the segments that go as a whole.
    pub fn dropped(&self) -> impl Iterator<Item = &str> {
        self.targets(true)
    }

    /// The names of the segments that are written anew.
    pub fn rewritten(&self) -> impl Iterator<Item = &str> {
        self.targets(false)
    }

    fn targets(&self, dropped: bool) -> impl Iterator<Item = &str> {
        let steps = self.steps.iter();
        let steps = steps.filter(move |step| matches!(step.way, Way::Drop { .. }) == dropped);
        let targets = steps.flat_map(|step| &step.segments);
        // Those without waves are only put together with others.
        targets.filter(|target| target.waves > 0).map(|target| target.name.as_str())
    }
}

/// What is to happen to one segment.
#[derive(Debug, Default)]
struct Fate {
    whole: bool,
    cuts: Vec<Cut>,
}

/// What is to go by these terms.
pub fn plan(holdings: &Holdings, terms: &Terms<'_>) -> Plan {
    let all = &holdings.segments;
    let mut plan = Plan { keep_after: terms.keep_after, ..Plan::default() };
    let left_over = |summary: &&Arc<Summary>| is_left_over(summary, all);
    plan.left_over = all.iter().filter(left_over).map(|summary| summary.name.clone()).collect();
    let current = all.iter().filter(|summary| !summary.void && !left_over(summary));
    let segments: Vec<&Summary> = current.map(|summary| &**summary).collect();
    let mut fates: Vec<Fate> = segments.iter().map(|_| Fate::default()).collect();
    for rule in terms.rules {
        judge(rule, terms.now, &segments, &mut fates);
    }
    let mut notes = notes(&segments, holdings.complete);
    let (there, removed) = known(&segments);
    let mut run = Run::default();
    let mut gone = Ranges::default();
    // All of one base: one of them has the waves, the others notes.
    for same in segments.chunk_by(|one, other| one.base == other.base) {
        let rest = fates.split_off(same.len());
        let fates = std::mem::replace(&mut fates, rest);
        let rest = notes.split_off(same.len());
        let targets = same.iter().zip(std::mem::replace(&mut notes, rest)).map(Target::of);
        let Some(targets) = targets.collect::<Option<Vec<Target>>>() else {
            // Nothing can be read of one of them.
            run.end(&mut plan);
            continue;
        };
        let last = || same.iter().map(|summary| summary.end()).max().unwrap_or(0);
        let next = segments.iter().find(|summary| summary.base > same[0].base);
        let unit = Unit { same, end: next.map_or_else(last, |next| next.base - 1) };
        // What was noted as removed before, and not removed yet: the process ended in between.
        let gone_before = !unit.range().is_empty() && gone.covers(unit.range());
        for summary in same {
            gone.add_all(&summary.removed);
        }
        // Those that were neither removed nor refused.
        let of_it = Ranges::from(unit.range()).without(&removed);
        let missing = !of_it.without(&there).is_empty();
        let protected = |sequence| terms.keep_after.is_some_and(|keep_after| sequence > keep_after);
        let empty = unit.waves() == 0 && !missing;
        let whole = || fates.iter().zip(same).all(|(fate, of)| fate.whole || of.waves == 0);
        let complete = same[0].base < holdings.complete;
        let by_rules = complete && fates.iter().any(|fate| fate.whole) && whole();
        let held_back = of_it.last().is_some_and(protected);
        if complete && (empty || gone_before || (by_rules && !held_back)) {
            run.add(targets, &unit);
            continue;
        }
        plan.held_back |= by_rules;
        run.end(&mut plan);
        let cuts: Vec<Cut> = fates.into_iter().flat_map(|fate| fate.cuts).collect();
        if !complete || cuts.is_empty() {
            continue;
        }
        if protected(unit.first()) {
            plan.held_back = true;
            continue;
        }
        if missing || unit.is_damaged() {
            plan.damaged.extend(same.iter().map(|summary| summary.name.clone()));
        } else if unit.gain(&cuts) >= terms.least_gain {
            plan.steps.push(Step { segments: targets, way: Way::Rewrite(cuts) });
        }
    }
    run.end(&mut plan);
    plan
}

/// Segments of one base.
struct Unit<'a> {
    same: &'a [&'a Summary],
    /// The last sequence that belongs to them.
    end: u64,
}

impl Unit<'_> {
    fn range(&self) -> RangeInclusive<u64> {
        self.same[0].base.max(1)..=self.end
    }

    fn waves(&self) -> u64 {
        self.same.iter().map(|summary| summary.waves).sum()
    }

    fn first(&self) -> u64 {
        let first = self.same.iter().filter_map(|summary| summary.first);
        first.map(|first| first.sequence).min().unwrap_or(u64::MAX)
    }

    /// Whether there is more in it than sound records and a torn tail.
    fn is_damaged(&self) -> bool {
        let damaged = |summary: &&Summary| {
            summary.repeated > 0 || summary.damage.iter().any(|bytes| Some(bytes) != summary.tail())
        };
        let with_waves = self.same.iter().filter(|summary| summary.waves > 0).count();
        with_waves > 1 || self.same.iter().any(damaged)
    }

    /// About which part of it these take.
    fn gain(&self, cuts: &[Cut]) -> f64 {
        let size = self.same.iter().map(|summary| summary.size).sum::<u64>() as f64;
        let of = |summary: &&Summary| cuts.iter().map(|cut| cut.gain(summary)).sum::<f64>();
        let with_waves = self.same.iter().filter(|summary| summary.waves > 0);
        with_waves.map(of).sum::<f64>() / size
    }
}

/// What a rule does to each segment.
fn judge(rule: &Rule, now: f64, segments: &[&Summary], fates: &mut [Fate]) {
    let pattern = rule.pattern.as_ref();
    let held = |summary: &Summary| {
        let mine = summary.channels.iter().filter(|(channel, _)| fits(pattern, channel));
        mine.fold(Held::default(), |all, (_, held)| all.with(held))
    };
    let held: Vec<Held> = segments.iter().map(|summary| held(summary)).collect();
    if let Some(age) = rule.max_age {
        let than = now - age;
        for (held, fate) in held.iter().zip(&mut *fates) {
            if pattern.is_none() {
                fate.whole |= held.waves > 0 && held.newest < than;
            } else if held.oldest < than {
                fate.cuts.push(Cut::Older(pattern.cloned(), than));
            }
        }
    }
    for (most, by_bytes) in [(rule.max_count, false), (rule.max_bytes, true)] {
        let Some(most) = most else { continue };
        let size = |at: usize| if by_bytes { held[at].bytes } else { held[at].waves };
        let mut beyond = (0..segments.len()).map(size).sum::<u64>().saturating_sub(most);
        for (at, fate) in fates.iter_mut().enumerate() {
            if beyond == 0 {
                break;
            }
            let cut = size(at).min(beyond);
            if pattern.is_none() {
                // Everything in it is beyond the limit, or it stays, and what follows too.
                fate.whole |= cut == size(at);
            } else if cut > 0 {
                let take = if by_bytes { Cut::Bytes } else { Cut::Waves };
                fate.cuts.push(take(pattern.cloned(), cut));
            }
            beyond -= cut;
        }
    }
    if let Some(most) = rule.keep_last {
        let mut beyond: BTreeMap<&str, u64> = BTreeMap::new();
        let all = segments.iter().flat_map(|summary| &summary.channels);
        for (channel, held) in all.filter(|(channel, _)| fits(pattern, channel)) {
            *beyond.entry(channel).or_default() += held.waves;
        }
        for waves in beyond.values_mut() {
            *waves = waves.saturating_sub(most);
        }
        for (summary, fate) in segments.iter().zip(fates) {
            let mut cuts = BTreeMap::new();
            for (channel, held) in &summary.channels {
                let Some(beyond) = beyond.get_mut(&**channel).filter(|beyond| **beyond > 0) else {
                    continue;
                };
                let cut = held.waves.min(*beyond);
                cuts.insert(channel.clone(), cut);
                *beyond -= cut;
            }
            if !cuts.is_empty() {
                fate.cuts.push(Cut::OfEach(cuts));
            }
        }
    }
}

impl Held {
    fn with(self, other: &Self) -> Self {
        Self {
            waves: self.waves + other.waves,
            bytes: self.bytes + other.bytes,
            oldest: self.oldest.min(other.oldest),
            newest: self.newest.max(other.newest),
        }
    }
}

/// All sequences that are there, and all that were removed.
fn known(segments: &[&Summary]) -> (Ranges, Ranges) {
    let (mut there, mut removed) = (Ranges::default(), Ranges::default());
    for summary in segments {
        there.add_all(&summary.there);
        removed.add_all(&summary.removed);
    }
    (there, removed)
}

/// Where in each segment the last note of a cursor stands, among those that are complete.
fn notes(segments: &[&Summary], complete: u64) -> Vec<BTreeSet<u64>> {
    let mut last: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (at, summary) in segments.iter().enumerate().filter(|(_, summary)| summary.base < complete)
    {
        last.extend(summary.cursors.iter().map(|(cursor, offset)| (&**cursor, (at, *offset))));
    }
    let mut notes = vec![BTreeSet::new(); segments.len()];
    for (at, offset) in last.into_values() {
        notes[at].insert(offset);
    }
    notes
}

/// Segments that go as a whole, and stand side by side.
#[derive(Debug, Default)]
struct Run {
    segments: Vec<Target>,
    removed: Ranges,
    end: u64,
}

impl Run {
    fn add(&mut self, targets: Vec<Target>, unit: &Unit<'_>) {
        for summary in unit.same {
            // Also what was refused and is noted here, though it belongs to the segment before.
            self.removed.add_all(&summary.removed);
        }
        self.removed.add(unit.range());
        self.segments.extend(targets);
        self.end = unit.end;
    }

    /// The next segment stays.
    fn end(&mut self, plan: &mut Plan) {
        let Self { segments, removed, end } = std::mem::take(self);
        // One that is empty already, and alone, is left as it is.
        if segments.len() > 1 || segments.iter().any(|segment| segment.waves > 0) {
            plan.steps.push(Step { segments, way: Way::Drop { removed, end } });
        }
    }
}

impl Target {
    fn of((summary, notes): (&&Summary, BTreeSet<u64>)) -> Option<Self> {
        let (name, header) = (summary.name.clone(), summary.header.ok()?);
        Some(Self { name, header, waves: summary.waves, bytes: summary.size, notes })
    }
}
