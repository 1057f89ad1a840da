//! The formulas over slices, each with the best instructions that the processor has.

mod coherence;
mod decay;
mod interference;
#[cfg(test)]
mod levels;
mod resultant;
mod superpose;
mod tiles;

pub use coherence::coherence;
pub use decay::{Rate, decay, decay_at};
pub use interference::interfere;
pub(crate) use interference::interfere_near;
pub use resultant::{Arrow, resultant, resultants};
pub use superpose::{Waves, superpose};
