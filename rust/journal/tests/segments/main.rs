//! Segments: what is written is what is read, and nothing else, whatever happens to the bytes.
#![cfg(unix)]

mod damage;
mod records;
mod support;
