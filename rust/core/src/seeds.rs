//! The seeds of the hash tables that hold texts and numbers from outside.
//!
//! They are random, so that nobody can send names that collide. Instruction counts need the same tables in
//! each run: the flag `--cfg fixed_seed`, which nothing sets but `benches/instructions.py`, fixes them.

#[cfg(not(fixed_seed))]
pub(crate) type Seeds = foldhash::fast::RandomState;

#[cfg(fixed_seed)]
pub(crate) type Seeds = foldhash::fast::FixedState;
