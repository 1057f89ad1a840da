//! How firmly the phases of channels are locked: `|mean(exp(i·(φⱼ − φₖ)))|` for each pair.
//!
//! The means are products of matrices of cosines and sines; as they are symmetric, only the tiles on
//! and above the diagonal are computed. Moments are taken in runs, whose sums are added up.

use crate::arrays::resultant::{BLOCK, brought_near};
use crate::arrays::tiles::{COLUMNS, ROWS, product};
use crate::cores::shared;
use crate::dispatch::{Arithmetic, Job, run};
use crate::trigonometry::sin_cos_of;

/// How many moments are taken together: the panels of a tile stay in the nearest cache.
const RUN: usize = 128;

/// The channels of a tile's rows: each takes two, for the real and for the imaginary part.
const CHANNELS: usize = ROWS / 2;

/// Fewer products are not worth a thread.
const GRAIN: usize = 1_000_000;

/// Sums over moments for each pair of channels, row by row.
struct Sums {
    along: Vec<f64>,
    across: Vec<f64>,
}

/// The locking of each pair of `channels`, 0..1, given to `write(j, k, value)`; `read(channel, from, to)`
/// fills phases in radians from a moment on. There is at least one moment.
pub fn coherence(
    channels: usize,
    moments: usize,
    read: impl Fn(usize, usize, &mut [f64]) + Sync,
    mut write: impl FnMut(usize, usize, f64),
) {
    let grain = (GRAIN / (channels * channels).max(1)).max(RUN);
    let parts = shared(moments, grain, RUN, |part| {
        let mut sums =
            Sums { along: vec![0.0; channels * channels], across: vec![0.0; channels * channels] };
        let mut panels = Panels::new(channels);
        for start in part.clone().step_by(RUN) {
            let count = RUN.min(part.end - start);
            panels.fill(count, |channel, phases| read(channel, start, phases));
            run(AddTiles { panels: &panels, channels, sums: &mut sums });
        }
        sums
    });
    for j in 0..channels {
        write(j, j, 1.0);
        for k in j + 1..channels {
            let place = j * channels + k;
            let sum =
                |of: fn(&Sums) -> &[f64]| parts.iter().map(|part| of(part)[place]).sum::<f64>();
            let (along, across) = (sum(|part| &part.along), sum(|part| &part.across));
            let locked = (along * along + across * across).sqrt() / moments as f64;
            let locked = if locked > 1.0 { 1.0 } else { locked };
            write(j, k, locked);
            write(k, j, locked);
        }
        // A channel with a phase that is no number is locked to nobody, not even to itself.
        let place = j * channels + j;
        if parts.iter().any(|part| part.along[place].is_nan()) {
            write(j, j, f64::NAN);
        }
    }
}

/// Cosines and sines of a run of moments, as both sides of the product want them.
struct Panels {
    left: Vec<f64>,
    right: Vec<f64>,
    channels: usize,
    /// Inner steps: two for each moment, one for the cosine and one for the sine.
    steps: usize,
}

impl Panels {
    fn new(channels: usize) -> Self {
        let left = channels.div_ceil(CHANNELS) * ROWS * 2 * RUN;
        let right = channels.div_ceil(COLUMNS) * COLUMNS * 2 * RUN;
        Self { left: vec![0.0; left], right: vec![0.0; right], channels, steps: 0 }
    }

    fn fill(&mut self, count: usize, read: impl Fn(usize, &mut [f64])) {
        let (mut phases, mut copy) = ([0.0; RUN], [0.0; BLOCK]);
        let (mut cos, mut sin) = ([0.0; RUN], [0.0; RUN]);
        self.steps = 2 * count;
        for channel in 0..self.channels {
            read(channel, &mut phases[..count]);
            let phases = brought_near(&phases[..count], &mut copy);
            run(Circle { phases, cos: &mut cos, sin: &mut sin });
            let left = channel / CHANNELS * ROWS * self.steps + channel % CHANNELS * 2;
            let right = channel / COLUMNS * COLUMNS * self.steps + channel % COLUMNS;
            for moment in 0..count {
                let (cos, sin) = (cos[moment], sin[moment]);
                let at = left + 2 * moment * ROWS;
                // Times the cosines, then times the sines, of the other channel.
                (self.left[at], self.left[at + 1]) = (cos, sin);
                (self.left[at + ROWS], self.left[at + ROWS + 1]) = (sin, -cos);
                let at = right + 2 * moment * COLUMNS;
                (self.right[at], self.right[at + COLUMNS]) = (cos, sin);
            }
        }
    }
}

struct Circle<'a> {
    phases: &'a [f64],
    cos: &'a mut [f64],
    sin: &'a mut [f64],
}

impl Job for Circle<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for ((cos, sin), &phase) in self.cos.iter_mut().zip(self.sin).zip(self.phases) {
            (*sin, *cos) = sin_cos_of::<A>(phase);
        }
    }
}

struct AddTiles<'a> {
    panels: &'a Panels,
    channels: usize,
    sums: &'a mut Sums,
}

impl Job for AddTiles<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { panels, channels, sums } = self;
        let (left, right) = (ROWS * panels.steps, COLUMNS * panels.steps);
        for column in (0..channels).step_by(COLUMNS) {
            let columns = COLUMNS.min(channels - column);
            let right = &panels.right[column / COLUMNS * right..][..right];
            for row in (0..(column + columns).min(channels)).step_by(CHANNELS) {
                let tile = product::<A>(&panels.left[row / CHANNELS * left..][..left], right);
                for channel in row..channels.min(row + CHANNELS) {
                    let at = channel * channels + column;
                    let (re, im) = (&tile[2 * (channel - row)], &tile[2 * (channel - row) + 1]);
                    for (sum, &re) in sums.along[at..at + columns].iter_mut().zip(re) {
                        *sum += re;
                    }
                    for (sum, &im) in sums.across[at..at + columns].iter_mut().zip(im) {
                        *sum += im;
                    }
                }
            }
        }
    }
}
