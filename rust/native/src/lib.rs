//! The Python binding of Aether.
