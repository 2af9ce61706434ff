//! libFuzzer on the canonical encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::canonical::check(bytes));
