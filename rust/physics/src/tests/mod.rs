//! Models of every interleaving of a writer and a reader of a field:
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p aether-physics --lib --release`.

mod loom_field;
