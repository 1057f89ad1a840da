//! Segments: what is written is what is read, and nothing else, whatever happens to the bytes.

mod damage;
mod records;
mod support;
