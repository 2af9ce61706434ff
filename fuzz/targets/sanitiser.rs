//! libFuzzer on the sanitiser and the prompt.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ctxpin_fuzz::sanitiser::check(bytes));
