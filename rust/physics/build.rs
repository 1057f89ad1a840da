//! Says with `cfg(avx512)` whether the compiler knows AVX-512, which is stable since Rust 1.89.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(avx512)");
    let version =
        env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // "rustc 1.95.0 (...)"
    let minor = version.as_deref().and_then(|version| version.split('.').nth(1)?.parse().ok());
    let known = minor.is_some_and(|minor: u32| minor >= 89);
    if known && env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        println!("cargo::rustc-cfg=avx512");
    }
}
