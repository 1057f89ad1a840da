//! What is to go, by what segments hold: no disk is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use aether_core::channel::Pattern;

use super::{Holdings, Rule, Terms};
use crate::header::Header;
use crate::keeping::ranges::Ranges;
use crate::keeping::summary::{Held, Summary, ends};
use crate::record::Wave;

/// What is to be done to a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) keep_after: Option<u64>,
    /// The names of the segments from which waves would go, if they were not damaged.
    pub damaged: Vec<String>,
}

/// One step, done as a whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Segments that stand side by side go; an empty one is left in the place of the first.
    Drop {
        segments: Vec<Target>,
        /// What is noted as removed.
        removed: Ranges,
        /// The last sequence that belongs to them.
        end: u64,
    },
    /// A segment is written anew, without some of its waves.
    Rewrite { segment: Target, cuts: Vec<Cut> },
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
        self.steps.is_empty()
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
        let targets = self.steps.iter().flat_map(move |step| match step {
            Step::Drop { segments, .. } if dropped => &segments[..],
            Step::Rewrite { segment, .. } if !dropped => std::slice::from_ref(segment),
            _ => &[],
        });
        // Those without waves are only put together.
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
    let segments: Vec<&Summary> = holdings.segments.iter().map(|summary| &**summary).collect();
    let last = segments.iter().map(|summary| summary.end()).max().unwrap_or(0);
    let ends = ends(&segments, last);
    let mut fates: Vec<Fate> = segments.iter().map(|_| Fate::default()).collect();
    for rule in terms.rules {
        judge(rule, terms.now, &segments, &mut fates);
    }
    let missing = missing(&segments, &ends);
    let notes = notes(&segments, holdings.complete);
    let mut plan = Plan { keep_after: terms.keep_after, ..Plan::default() };
    let mut side_by_side = SideBySide::default();
    let mut gone = Ranges::default();
    for (at, summary) in segments.iter().enumerate() {
        let (end, fate, missing) = (ends[at], std::mem::take(&mut fates[at]), missing[at]);
        let complete = summary.base < holdings.complete;
        let range = summary.base..=end;
        // Left from a step that was done to half: it was noted as removed, and not removed yet.
        let left_over = !range.is_empty()
            && !summary.there.is_empty()
            && gone.within(range.clone()) == range.into();
        gone.add_all(&summary.removed);
        let Ok(header) = summary.header else {
            side_by_side.end(&mut plan);
            continue;
        };
        let protected = |sequence| terms.keep_after.is_some_and(|keep_after| sequence > keep_after);
        let empty = summary.waves == 0 && !missing;
        let target = || Target {
            name: summary.name.clone(),
            header,
            waves: summary.waves,
            bytes: summary.size,
            notes: notes[at].clone(),
        };
        if complete && (empty || left_over || (fate.whole && !protected(end))) {
            side_by_side.add(target(), summary, end);
            continue;
        }
        side_by_side.end(&mut plan);
        let first = summary.first.map_or(u64::MAX, |first| first.sequence);
        if !complete || fate.cuts.is_empty() || protected(first) {
            continue;
        }
        let gain = fate.cuts.iter().map(|cut| cut.gain(summary)).sum::<f64>();
        if missing || summary.damage.iter().any(|bytes| Some(bytes) != summary.tail()) {
            plan.damaged.push(summary.name.clone());
        } else if gain >= terms.least_gain * summary.size as f64 {
            plan.steps.push(Step::Rewrite { segment: target(), cuts: fate.cuts });
        }
    }
    side_by_side.end(&mut plan);
    plan
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

/// Which segments have waves that are missing.
fn missing(segments: &[&Summary], ends: &[u64]) -> Vec<bool> {
    let mut known = Ranges::default();
    for summary in segments {
        known.add_all(&summary.there);
        known.add_all(&summary.removed);
    }
    let misses = |(summary, end): (&&Summary, &u64)| {
        !Ranges::from(summary.base.max(1)..=*end).without(&known).is_empty()
    };
    segments.iter().zip(ends).map(misses).collect()
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
struct SideBySide {
    segments: Vec<Target>,
    removed: Ranges,
    end: u64,
}

impl SideBySide {
    fn add(&mut self, target: Target, summary: &Summary, end: u64) {
        // Also what was refused and is noted here, though it belongs to the segment before.
        self.removed.add_all(&summary.removed);
        self.removed.add(range(&target, end));
        self.segments.push(target);
        self.end = end;
    }

    /// The next segment stays.
    fn end(&mut self, plan: &mut Plan) {
        let Self { segments, removed, end } = std::mem::take(self);
        // One that is empty already, and alone, is left as it is.
        if segments.len() > 1 || segments.iter().any(|segment| segment.waves > 0) {
            plan.steps.push(Step::Drop { segments, removed, end });
        }
    }
}

fn range(target: &Target, end: u64) -> RangeInclusive<u64> {
    target.header.base..=end
}
