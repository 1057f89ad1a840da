//! Loops over whole rows or matrices: the generalized ufuncs of numpy's.
//!
//! Operands that are slices of `f64` are read and written where they lie; numpy has made sure that no
//! output shares memory with an input.

use std::ffi::{c_char, c_void};

use aether_physics::arrays::{self, Arrow, Waves};
use aether_physics::cores::shared;
use numpy::npyffi::types::npy_intp;

use super::columns::{Column, Integers};
use super::quiet::quietly;

/// From twice as many numbers on, rows are shared among cores.
const GRAIN: usize = 16_384;

/// The arguments that numpy calls a loop with.
#[derive(Clone, Copy)]
struct Call {
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    count: usize,
}

// SAFETY: pointers into numpy's arrays of arguments, which nobody changes while the loop runs.
unsafe impl Send for Call {}
// SAFETY: the same.
unsafe impl Sync for Call {}

impl Call {
    /// The length of a dimension: 0 is the outer one, the others are the signature's in its order.
    fn length(self, dimension: usize) -> usize {
        // SAFETY: numpy's array has one entry for each dimension.
        unsafe { *self.lengths.add(dimension) as usize }
    }

    /// The step of the operands' core dimensions, counted through all of them.
    fn core_step(self, core: usize) -> isize {
        // SAFETY: numpy's array has the outer steps of all operands, then the core ones.
        unsafe { *self.steps.add(self.count + core) }
    }

    /// Where an operand starts in a round of the outer loop.
    fn start(self, operand: usize, round: usize) -> *mut u8 {
        // SAFETY: numpy's arrays have one entry for each operand.
        let (start, step) = unsafe { (*self.operands.add(operand), *self.steps.add(operand)) };
        start.cast::<u8>().wrapping_offset(step * round as isize)
    }

    /// One core dimension of an operand.
    fn column(self, operand: usize, round: usize, core: usize, dimension: usize) -> Column {
        let (start, step) = (self.start(operand, round), self.core_step(core));
        // SAFETY: numpy's promise to a loop of `f64`.
        unsafe { Column::new(start, step, self.length(dimension), false) }
    }

    /// An operand without core dimensions.
    fn number(self, operand: usize, round: usize) -> Column {
        // SAFETY: numpy's promise to a loop of `f64`.
        unsafe { Column::new(self.start(operand, round), 0, 1, false) }
    }
}

/// A column's numbers, where they lie if they are a slice.
fn numbers<'a>(column: &Column, copy: &'a mut Vec<f64>) -> &'a [f64] {
    if column.contiguous() {
        // SAFETY: an input, which nobody writes to while the loop runs.
        return unsafe { column.slice(0..column.length()) };
    }
    copy.resize(column.length(), 0.0);
    column.read(0..column.length(), copy);
    copy
}

/// Fills a column through a slice, its own if it is one.
fn filled(column: &Column, fill: impl FnOnce(&mut [f64])) {
    if column.contiguous() {
        // SAFETY: an output, which is nobody else's while the loop runs.
        fill(unsafe { column.slice_mut(0..column.length()) });
    } else {
        let mut values = vec![0.0; column.length()];
        fill(&mut values);
        column.write(0..column.length(), &values);
    }
}

/// `(n),(n)->(),()`: amplitude and phase of the sum of each row.
pub unsafe extern "C" fn resultant(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        let call = Call { operands, lengths, steps, count: 4 };
        let (rounds, length) = (call.length(0), call.length(1));
        let row = |round| {
            let amplitude = call.column(0, round, 0, 1);
            let phase = call.column(1, round, 1, 1);
            let sum = arrays::resultant(length, |start, amplitudes, phases| {
                amplitude.read(start..start + amplitudes.len(), amplitudes);
                phase.read(start..start + phases.len(), phases);
            });
            let (amplitude, phase) = sum.polar();
            call.number(2, round).write(0..1, &[amplitude]);
            call.number(3, round).write(0..1, &[phase]);
        };
        if length < GRAIN {
            shared(rounds, GRAIN / length.max(1), 1, |part| part.for_each(row));
        } else {
            (0..rounds).for_each(row);
        }
    });
}

/// `(n),(n),(n)->(g),(g)`: amplitude and phase of the sum of each group.
pub unsafe extern "C" fn resultants(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        let call = Call { operands, lengths, steps, count: 5 };
        for round in 0..call.length(0) {
            let (mut amplitude, mut phase) = (Vec::new(), Vec::new());
            let amplitude = numbers(&call.column(0, round, 0, 1), &mut amplitude);
            let phase = numbers(&call.column(1, round, 1, 1), &mut phase);
            // SAFETY: numpy's promise to a loop whose third operand is `i64`.
            let groups =
                unsafe { Integers::new(call.start(2, round), call.core_step(2), call.length(1)) };
            let mut copy = Vec::new();
            let groups = groups.slice(&mut copy);
            let count = call.length(2);
            let parts = shared(amplitude.len(), GRAIN.max(4 * count), 256, |part| {
                let mut sums = vec![Arrow::SILENCE; count];
                let (amplitude, phase) = (&amplitude[part.clone()], &phase[part.clone()]);
                arrays::resultants(amplitude, phase, &groups[part], &mut sums);
                sums
            });
            let (amplitude, phase) = (call.column(3, round, 3, 2), call.column(4, round, 4, 2));
            for group in 0..count {
                let mut sum = Arrow::SILENCE;
                for sums in &parts {
                    sum.merge(sums[group]);
                }
                let (length, angle) = sum.polar();
                amplitude.write(group..group + 1, &[length]);
                phase.write(group..group + 1, &[angle]);
            }
        }
    });
}

/// `(n),(n),(n),(m)->(m)`: the sum of n waves at m times.
pub unsafe extern "C" fn superpose(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        waves(Call { operands, lengths, steps, count: 5 }, |call, round, waves, times| {
            filled(&call.column(4, round, 4, 2), |out| arrays::superpose(waves, times, out, None));
        });
    });
}

/// `(n),(n),(n),(m)->(m),(m)`: the same, and that of the sines.
pub unsafe extern "C" fn superpose_both(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        waves(Call { operands, lengths, steps, count: 6 }, |call, round, waves, times| {
            filled(&call.column(4, round, 4, 2), |cosines| {
                filled(&call.column(5, round, 5, 2), |sines| {
                    arrays::superpose(waves, times, cosines, Some(sines));
                });
            });
        });
    });
}

/// The inputs that both superpositions have in common.
fn waves(call: Call, work: impl Fn(Call, usize, Waves<'_>, &[f64])) {
    for round in 0..call.length(0) {
        let mut copies = [const { Vec::new() }; 4];
        let [a, f, p, t] = &mut copies;
        let waves = Waves {
            amplitude: numbers(&call.column(0, round, 0, 1), a),
            frequency: numbers(&call.column(1, round, 1, 1), f),
            phase: numbers(&call.column(2, round, 2, 1), p),
        };
        work(call, round, waves, numbers(&call.column(3, round, 3, 2), t));
    }
}

/// `(n,t)->(n,n)`: how firmly each pair of channels is locked.
pub unsafe extern "C" fn coherence(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        let call = Call { operands, lengths, steps, count: 2 };
        let (channels, moments) = (call.length(1), call.length(2));
        for round in 0..call.length(0) {
            let series = call.start(0, round) as usize;
            let out = call.start(1, round);
            let read = |channel: usize, from: usize, to: &mut [f64]| {
                let start =
                    (series as *mut u8).wrapping_offset(call.core_step(0) * channel as isize);
                // SAFETY: a row of the operand, by numpy's promise to a loop of `f64`.
                let row = unsafe { Column::new(start, call.core_step(1), moments, false) };
                row.read(from..from + to.len(), to);
            };
            arrays::coherence(channels, moments, read, |j, k, value| {
                let start = out.wrapping_offset(call.core_step(2) * j as isize);
                // SAFETY: a row of the output.
                let row = unsafe { Column::new(start, call.core_step(3), channels, false) };
                row.write(k..k + 1, &[value]);
            });
        }
    });
}
