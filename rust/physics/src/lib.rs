//! The wave formulas of Aether, on plain numbers and on slices of them.
//!
//! Amplitudes are 0 or more, phases are radians. Two waves of one frequency add up like arrows in the
//! plane, `a₁·e^(i·p₁) + a₂·e^(i·p₂)`: [`interfere`] gives length and angle of the sum,
//! [`phase_difference`] the angle between the two, and [`Kind`] a word for it.
//!
//! Every result is accurate to a few units in the last place of an `f64`, near antiphase too, where
//! the textbook formula `√(a² + b² + 2ab·cos Δ)` loses all its digits, and for phases up to 10¹⁵.
//! Beyond these, that is 10⁻¹⁵ radians. A NaN or an infinity gives NaN; nothing panics.
//!
//! [`arrays`] has the formulas for many waves at once, [`field`] keeps the last waves of a pattern as
//! columns, and [`detect`] finds patterns in a stream of waves.
#![deny(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "kernels are compiled once for each level of the processor"
)]

pub mod arrays;
pub mod cores;
pub mod detect;
mod dispatch;
mod double;
pub mod field;
mod interference;
mod sine;
mod sync;
#[cfg(all(test, loom))]
mod tests;
mod trigonometry;

pub use interference::{Kind, gain, interfere, phase_difference};
