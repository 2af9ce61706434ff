//! libFuzzer on the search for known texts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::finder::check(bytes));
