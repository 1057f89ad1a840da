//! Retention as plainly as it can be said: all waves in one list, one rule after the other.

use aether_journal::keeping::retain::Rule;

use crate::Plain;

/// A segment: its waves, and whether it may be changed.
#[derive(Clone, Debug)]
pub struct Part {
    pub waves: Vec<Plain>,
    pub complete: bool,
}

/// The sequences of the waves that go.
pub fn gone(parts: &[Part], rules: &[Rule], now: f64, keep_after: Option<u64>) -> Vec<u64> {
    let all: Vec<&Plain> = parts.iter().flat_map(|part| &part.waves).collect();
    let mut gone = Vec::new();
    for rule in rules {
        let fits = |wave: &Plain| match &rule.pattern {
            Some(pattern) => pattern.matches(&wave.channel),
            None => true,
        };
        let mine: Vec<&Plain> = all.iter().copied().filter(|wave| fits(wave)).collect();
        let (mut one_by_one, mut whole) = (Vec::new(), Vec::new());
        let limits = if rule.pattern.is_some() { &mut one_by_one } else { &mut whole };
        if let Some(age) = rule.max_age {
            limits.push(
                mine.iter()
                    .filter(|wave| wave.time < now - age)
                    .map(|wave| wave.sequence)
                    .collect(),
            );
        }
        if let Some(most) = rule.max_count {
            let beyond = mine.len().saturating_sub(most as usize);
            limits.push(mine[..beyond].iter().map(|wave| wave.sequence).collect::<Vec<u64>>());
        }
        if let Some(most) = rule.max_bytes {
            // The oldest go until what is left fits; as a whole, those without which it is still filled.
            let mut left: u64 = mine.iter().map(|wave| wave.bytes).sum();
            let mut beyond = Vec::new();
            for wave in &mine {
                let goes =
                    if rule.pattern.is_some() { left > most } else { left - wave.bytes >= most };
                if !goes {
                    break;
                }
                beyond.push(wave.sequence);
                left -= wave.bytes;
            }
            limits.push(beyond);
        }
        if let Some(most) = rule.keep_last {
            let later = |wave: &Plain| {
                let same = |other: &&&Plain| {
                    other.channel == wave.channel && other.sequence > wave.sequence
                };
                mine.iter().filter(same).count() as u64
            };
            let beyond = mine.iter().filter(|wave| later(wave) >= most);
            one_by_one.push(beyond.map(|wave| wave.sequence).collect());
        }
        for part in parts.iter().filter(|part| part.complete) {
            let sequences: Vec<u64> = part.waves.iter().map(|wave| wave.sequence).collect();
            let protected =
                |sequence: u64| keep_after.is_some_and(|keep_after| sequence > keep_after);
            for beyond in &whole {
                let last = sequences.last().copied().unwrap_or(0);
                if sequences.iter().all(|sequence| beyond.contains(sequence)) && !protected(last) {
                    gone.extend(&sequences);
                }
            }
            for beyond in &one_by_one {
                gone.extend(
                    sequences
                        .iter()
                        .filter(|sequence| beyond.contains(sequence) && !protected(**sequence)),
                );
            }
        }
    }
    gone.sort_unstable();
    gone.dedup();
    gone
}
