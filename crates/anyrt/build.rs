//! Passes `--cfg anyrt_backend="…"` on, so that `src/backend.rs` can refuse a backend that is not enabled.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(anyrt_backend, values(any()))");
    // One that is set several times is listed with commas; that is no backend's name.
    if let Ok(name) = env::var("CARGO_CFG_ANYRT_BACKEND") {
        println!("cargo::rustc-env=ANYRT_BACKEND_CFG={name}");
    }
}
