//! libFuzzer on the manifest of a push.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::manifest::check(bytes));
