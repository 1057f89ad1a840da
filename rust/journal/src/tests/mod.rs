//! What only the inside of the crate can test: commits step by step, without a thread.

mod crashes;
