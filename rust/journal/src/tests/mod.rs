//! What only the inside of the crate can test: commits step by step, and their threads in random interleavings.

mod crashes;
#[cfg(shuttle)]
mod shuttle_commits;
