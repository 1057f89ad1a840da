//! The wave formulas of Aether, on plain numbers.
#![forbid(unsafe_code)]
