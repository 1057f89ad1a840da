//! Loops over elements: one number of each operand makes one of each output.
//!
//! Operands that are slices of `f64` go to the kernel as they are. The others, and inputs that share
//! memory with an output (`out` is the input itself), pass through small blocks on the stack.

use std::array;
use std::ffi::{c_char, c_void};

use aether_physics::arrays::{self, Rate};
use aether_physics::cores::shared;
use numpy::npyffi::types::npy_intp;

use super::columns::Column;
use super::quiet::quietly;

/// How many elements pass through the stack together.
const BLOCK: usize = 256;

/// From twice as many elements on, the work is shared among cores.
const GRAIN: usize = 32_768;

/// `amplitude, age, factor, interval -> out`.
pub unsafe extern "C" fn decay<const SINGLE: bool>(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        // SAFETY: numpy's loop of five operands of these types.
        let (inputs, out) = unsafe {
            let singles = [SINGLE, SINGLE, false, false, SINGLE];
            columns::<4, 1>(operands, lengths, steps, singles.as_slice())
        };
        let constants = inputs[2].constant().zip(inputs[3].constant());
        if let Some(rate) = constants.and_then(|(factor, interval)| Rate::new(factor, interval)) {
            let waves = [inputs[0], inputs[1]];
            through(waves, out, |[amplitude, age], [out]| {
                arrays::decay_at(rate, amplitude, age, out);
            });
        } else {
            through(inputs, out, |[amplitude, age, factor, interval], [out]| {
                arrays::decay(amplitude, age, factor, interval, out);
            });
        }
    });
}

/// `a1, p1, a2, p2 -> amplitude, phase`.
pub unsafe extern "C" fn interfere<const SINGLE: bool>(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    _: *mut c_void,
) {
    quietly(|| {
        // SAFETY: numpy's loop of six operands of this type.
        let (inputs, out) =
            unsafe { columns::<4, 2>(operands, lengths, steps, [SINGLE; 6].as_slice()) };
        through(inputs, out, |[a1, p1, a2, p2], [amplitude, phase]| {
            arrays::interfere(a1, p1, a2, p2, amplitude, phase);
        });
    });
}

/// # Safety
/// The arguments are those that numpy calls a loop with, of `IN` inputs and `OUT` outputs of these types.
unsafe fn columns<const IN: usize, const OUT: usize>(
    operands: *mut *mut c_char,
    lengths: *mut npy_intp,
    steps: *mut npy_intp,
    singles: &[bool],
) -> ([Column; IN], [Column; OUT]) {
    // SAFETY: numpy's arrays have one entry for each operand; its promises are those of `new`.
    let column = |i: usize| unsafe {
        Column::new((*operands.add(i)).cast(), *steps.add(i), *lengths as usize, singles[i])
    };
    (array::from_fn(column), array::from_fn(|i| column(IN + i)))
}

/// Hands the operands to a kernel, block by block, on several cores if there are many.
fn through<const IN: usize, const OUT: usize>(
    inputs: [Column; IN],
    outputs: [Column; OUT],
    kernel: impl Fn([&[f64]; IN], [&mut [f64]; OUT]) + Sync,
) {
    let length = outputs[0].length();
    let alone = |i: usize, column: &Column| {
        column.contiguous()
            && outputs.iter().enumerate().all(|(j, other)| i == j || !column.overlaps(other))
    };
    // An output of its own memory is written in place, an input apart from all outputs read in place.
    let written: [bool; OUT] = array::from_fn(|i| alone(i, &outputs[i]));
    let read: [bool; IN] = array::from_fn(|i| alone(OUT, &inputs[i]));
    shared(length, GRAIN, BLOCK, |part| {
        let mut copies = [[0.0; BLOCK]; IN];
        let mut results = [[0.0; BLOCK]; OUT];
        for (copy, input) in copies.iter_mut().zip(&inputs) {
            if let Some(constant) = input.constant() {
                *copy = [constant; BLOCK];
            }
        }
        let in_place = read.iter().chain(&written).all(|&yes| yes);
        let most = if in_place { part.len().max(1) } else { BLOCK };
        for start in part.clone().step_by(most) {
            let here = start..part.end.min(start + most);
            let count = here.len();
            for ((copy, input), &in_place) in copies.iter_mut().zip(&inputs).zip(&read) {
                if !in_place && input.constant().is_none() {
                    input.read(here.clone(), copy);
                }
            }
            let from = array::from_fn(|i| {
                // SAFETY: contiguous, and apart from everything that is written.
                if read[i] { unsafe { inputs[i].slice(here.clone()) } } else { &copies[i][..count] }
            });
            let mut buffers = results.iter_mut();
            let to = array::from_fn(|i| {
                let buffer = buffers.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
                if written[i] {
                    // SAFETY: contiguous, apart from the other outputs and from the inputs that are
                    // read in place; no other piece of the work has these places.
                    unsafe { outputs[i].slice_mut(here.clone()) }
                } else {
                    &mut buffer[..count]
                }
            });
            kernel(from, to);
            for ((result, output), &in_place) in results.iter().zip(&outputs).zip(&written) {
                if !in_place {
                    output.write(here.clone(), &result[..count]);
                }
            }
        }
    });
}
