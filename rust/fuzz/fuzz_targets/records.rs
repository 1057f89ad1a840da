//! See `aether_fuzz::records`. Built without `cargo fuzz`, this runs the files that it is given.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| aether_fuzz::records::run(data));

#[cfg(not(fuzzing))]
fn main() {
    aether_fuzz::run_files(aether_fuzz::records::run);
}
