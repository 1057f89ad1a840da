//! The formulas over slices, each with the best instructions that the processor has.

mod decay;
mod interference;

pub use decay::{Rate, decay, decay_at};
pub use interference::interfere;
