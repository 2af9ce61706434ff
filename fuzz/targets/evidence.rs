//! libFuzzer on the reading of a client's record.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::evidence::check(bytes));
