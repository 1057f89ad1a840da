//! The formulas of physics, for Python.

use aether_physics::{Kind, gain, phase_difference};
use pyo3::prelude::*;

/// Amplitude, phase, phase difference, gain and kind of two waves that meet.
#[pyfunction]
#[pyo3(signature = (a1, p1, a2, p2, /))]
pub fn interfere(a1: f64, p1: f64, a2: f64, p2: f64) -> (f64, f64, f64, f64, &'static str) {
    let (amplitude, phase) = aether_physics::interfere(a1, p1, a2, p2);
    let difference = phase_difference(p1, p2);
    (amplitude, phase, difference, gain(amplitude, a1, a2), Kind::of(difference).name())
}
